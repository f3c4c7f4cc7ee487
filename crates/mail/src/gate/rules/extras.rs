//! Good to have, and no condition: how mail to us is protected (MTA-STS, TLS-RPT), and our picture (BIMI).

use crate::dns::Lookups;
use crate::gate::report::{Finding, Rule, Severity};
use crate::gate::subject::Subject;
use crate::gate::tags::Tags;

const MTA_STS: Rule = Rule { id: "mta_sts.policy", broken: Severity::Info, source: "RFC 8461 §3" };
const TLS_RPT: Rule = Rule { id: "tls_rpt.record", broken: Severity::Info, source: "RFC 8460 §3" };
const BIMI: Rule = Rule { id: "bimi.record", broken: Severity::Info, source: "draft-brand-indicators §4.2" };

/// The rules of this family.
pub const RULES: &[Rule] = &[MTA_STS, TLS_RPT, BIMI];

/// Looks at the From domain.
pub(in crate::gate) async fn check(subject: &Subject, lookups: &Lookups, client: &outbound::Client) -> Vec<Finding> {
    let domain = &subject.domain;
    let mut findings = vec![mta_sts(domain, lookups, client).await];
    for (rule, name, version) in
        [(TLS_RPT, format!("_smtp._tls.{domain}"), "TLSRPTv1"), (BIMI, format!("default._bimi.{domain}"), "BIMI1")]
    {
        findings.push(match single(&name, version, lookups).await {
            Ok(text) => rule.kept(&name, text),
            Err(why) => rule.broken(&name, why),
        });
    }
    findings
}

/// The one text at a name that is of this version.
async fn single(name: &str, version: &str, lookups: &Lookups) -> Result<String, String> {
    let texts = lookups.txt(name).await.map_err(|error| format!("not known: {error}"))?.records;
    let ours = |text: &&String| Tags::parse(text).is_ok_and(|tags| tags.first() == Some(("v", version)));
    match texts.iter().filter(ours).collect::<Vec<_>>().as_slice() {
        [one] => Ok((*one).clone()),
        [] => Err("not published".to_owned()),
        many => Err(format!("{} records: none of them counts", many.len())),
    }
}

/// The record, and the policy behind it, which has to be served over HTTPS (RFC 8461 §3.3).
async fn mta_sts(domain: &str, lookups: &Lookups, client: &outbound::Client) -> Finding {
    let name = format!("_mta-sts.{domain}");
    if let Err(why) = single(&name, "STSv1", lookups).await {
        return MTA_STS.broken(&name, why);
    }
    let url = format!("https://mta-sts.{domain}/.well-known/mta-sts.txt");
    let policy = match client.get(&url).await {
        Ok(answer) if answer.status == 200 => String::from_utf8_lossy(&answer.body).into_owned(),
        Ok(answer) => return MTA_STS.broken(&url, format!("the policy is answered with {}", answer.status)),
        Err(error) => return MTA_STS.broken(&url, format!("the policy cannot be fetched: {error}")),
    };
    match judged(&policy) {
        Ok(mode) => MTA_STS.kept(&url, format!("mode {mode}")),
        Err(why) => MTA_STS.broken(&url, why),
    }
}

/// The mode of a policy (RFC 8461 §3.2).
fn judged(policy: &str) -> Result<String, String> {
    let fields: Vec<(&str, &str)> =
        policy.lines().filter_map(|line| line.split_once(':')).map(|(key, value)| (key.trim(), value.trim())).collect();
    let get = |key: &str| fields.iter().find(|(known, _)| *known == key).map(|(_, value)| *value);
    if get("version") != Some("STSv1") {
        return Err("the policy has no version: STSv1".to_owned());
    }
    let age = get("max_age").and_then(|age| age.parse::<u64>().ok()).ok_or("the policy has no max_age")?;
    let mode = get("mode").filter(|mode| ["enforce", "testing", "none"].contains(mode)).ok_or("it has no mode")?;
    if mode != "none" && get("mx").is_none() {
        return Err("the policy names no mx".to_owned());
    }
    Ok(format!("{mode}, for {age} s"))
}

#[cfg(test)]
mod tests {
    use super::judged;

    #[test]
    fn a_policy_needs_version_mode_age_and_exchangers() {
        let good = "version: STSv1\r\nmode: enforce\r\nmx: *.example.test\r\nmax_age: 604800\r\n";
        assert_eq!(judged(good).unwrap(), "enforce, for 604800 s");
        assert!(judged(&good.replace("STSv1", "STSv2")).unwrap_err().contains("version"));
        assert!(judged(&good.replace("mx: *", "mxx: *")).unwrap_err().contains("mx"));
        assert!(judged(&good.replace("604800", "soon")).unwrap_err().contains("max_age"));
        assert!(judged(&good.replace("enforce", "perhaps")).unwrap_err().contains("mode"));
        assert!(judged("<html>").is_err());
    }
}
