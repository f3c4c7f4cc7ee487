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
            Some((kind, address)) if matches!(kind.trim().to_ascii_lowercase().as_str(), "rfc822" | "utf-8") => address,
            Some(_) => return None,
            None => value,
        };
        let address = address.trim().trim_matches(['<', '>']).trim();
        (!address.is_empty()).then(|| address.to_owned())
    }
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
        assert!(groups(" leading\n\n").is_empty());
    }
}
