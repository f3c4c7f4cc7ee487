//! Tag lists: `v=DKIM1; k=rsa; p=…`, as DKIM (RFC 6376 §3.2), DMARC (RFC 9989 §4.7) and their relatives write them.

/// The tags of a record, names in lower case, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tags(Vec<(String, String)>);

impl Tags {
    /// Reads `name=value` pairs between semicolons; blanks around each part do not count.
    ///
    /// # Errors
    /// What is wrong: a part without `=`, a name that is none, a name that occurs twice.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut tags: Vec<(String, String)> = Vec::new();
        for part in text.split(';').map(str::trim).filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').ok_or_else(|| format!("{part:?} has no \"=\""))?;
            let name = name.trim();
            let fits = name.starts_with(|c: char| c.is_ascii_alphabetic())
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
            if !fits {
                return Err(format!("{name:?} is no name of a tag"));
            }
            let name = name.to_ascii_lowercase();
            if tags.iter().any(|(known, _)| *known == name) {
                return Err(format!("{name}= occurs twice"));
            }
            tags.push((name, value.trim().to_owned()));
        }
        Ok(Self(tags))
    }

    /// The value of a tag.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The first tag: where a version has to stand.
    #[must_use]
    pub fn first(&self) -> Option<(&str, &str)> {
        self.0.first().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// The parts of a value between `separator`, trimmed, none of them empty.
pub fn parts(value: &str, separator: char) -> impl Iterator<Item = &str> {
    value.split(separator).map(str::trim).filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_and_a_last_semicolon_do_not_count() {
        let tags = Tags::parse(" v = DKIM1 ;k=rsa; p = AB C= ; ").unwrap();
        assert_eq!((tags.get("v"), tags.get("k"), tags.get("p")), (Some("DKIM1"), Some("rsa"), Some("AB C=")));
        assert_eq!(tags.first(), Some(("v", "DKIM1")));
    }

    #[test]
    fn what_is_no_tag_list_is_told_why() {
        assert!(Tags::parse("v=DKIM1; nonsense").unwrap_err().contains("no \"=\""));
        assert!(Tags::parse("v=DKIM1; p=a; P=b").unwrap_err().contains("twice"));
        assert!(Tags::parse("1=x").unwrap_err().contains("no name"));
    }
}
