//! Groups of fields as RFC 3464 §2.1 and RFC 5965 §3 write them: like headers, groups divided by blank lines.

/// One group: names in lower case, values unfolded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Group(Vec<(String, String)>);

impl Group {
    /// The first value under `name` (lower case).
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The address of a value `rfc822; ana@example.com` (RFC 3464 §2.1.2), or of a bare one.
    pub(super) fn address(&self, name: &str) -> Option<String> {
        let value = self.get(name)?;
        let address = match value.split_once(';') {
            Some((kind, address)) => match kind.trim().to_ascii_lowercase().as_str() {
                "rfc822" => address.to_owned(),
                "utf-8" => unescaped(address),
                _ => return None,
            },
            None => value.to_owned(),
        };
        let address = address.trim().trim_matches(['<', '>']).trim();
        (!address.is_empty()).then(|| address.to_owned())
    }
}

/// An address beyond ASCII in a report that is ASCII: `\x{FC}` stands for one character (RFC 6533 §3).
fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\\x{") {
        out.push_str(before);
        let read = after.split_once('}').and_then(|(code, left)| {
            let c = u32::from_str_radix(code, 16).ok().and_then(char::from_u32)?;
            Some((c, left))
        });
        match read {
            Some((c, left)) => {
                out.push(c);
                rest = left;
            }
            None => {
                out.push_str("\\x{");
                rest = after;
            }
        }
    }
    out + rest
}

/// The groups of a body. Lines that are no fields are passed over.
pub(super) fn groups(body: &str) -> Vec<Group> {
    let mut groups = vec![Group::default()];
    for line in body.lines() {
        if line.trim().is_empty() {
            groups.push(Group::default());
            continue;
        }
        let group = groups.last_mut().expect("there always is one");
        if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = group.0.last_mut() {
                value.push(' ');
                value.push_str(line.trim());
            }
        } else if let Some((name, value)) = line.split_once(':') {
            group.0.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
    groups.retain(|group| !group.0.is_empty());
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_unfolded_and_groups_divided() {
        let read = groups("A: 1\r\n  more\r\nnonsense\r\n\r\n\r\nfinal-recipient: RFC822;\r\n <ana@example.com>\r\n");
        assert_eq!(read.len(), 2);
        assert_eq!(read[0].get("a"), Some("1 more"));
        assert_eq!(read[1].address("final-recipient").as_deref(), Some("ana@example.com"));
        assert_eq!(groups("x: y; z\n")[0].address("x"), None);
        let global = |value: &str| groups(&format!("x: utf-8; {value}\n"))[0].address("x").unwrap();
        assert_eq!(global("jürgen@example.com"), "jürgen@example.com");
        assert_eq!(global(r"j\x{FC}rgen@example.com"), "jürgen@example.com");
        assert_eq!(global(r"a\x{110000}b\x{zz@example.com"), r"a\x{110000}b\x{zz@example.com");
        assert!(groups(" leading\n\n").is_empty());
    }
}
