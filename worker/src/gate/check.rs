//! One look at a domain: what the DNS says, what follows from it, who is told, and what is released.

use mail::gate::{Depth, Report, Severity, Verdict};
use store::{Domain, NewDomainCheck, StoreError};

use super::tell::Turns;
use super::{Gate, Means, Plan, Released, emails, may_leave, policy, release};

/// How often a result is written again when somebody else was quicker.
const TRIES: usize = 8;

/// Why a domain is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A worker started.
    Start,
    /// It was time.
    Due,
    /// A mail wants to leave, and nobody knew.
    FirstSend,
    /// A person asked.
    Request,
    /// A schedule fired.
    Schedule,
}

impl Cause {
    /// The word in the history.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Due => "due",
            Self::FirstSend => "first_send",
            Self::Request => "request",
            Self::Schedule => "schedule",
        }
    }
}

/// What a check came to.
#[derive(Debug, Clone)]
pub struct Checked {
    /// The domain, as it is now stored.
    pub domain: Domain,
    /// What was found.
    pub report: Report,
    /// Mails that were set on their way again.
    pub released: usize,
}

impl Gate {
    /// Looks at a domain and writes what follows; `None` for a domain that nobody sends from. `everything` also looks at
    /// what is only good to know.
    ///
    /// # Errors
    /// The store's.
    pub async fn check(
        &self,
        means: Means<'_>,
        domain: &str,
        cause: Cause,
        everything: bool,
    ) -> Result<Option<Checked>, StoreError> {
        let Some(plan) = self.plans.get(domain) else { return Ok(None) };
        let now = means.clock.now();
        let before = means.store.domain(domain).await?;
        let subject = plan.subject(before.as_ref(), now);
        let depth = if everything { Depth::Everything(&self.client) } else { Depth::Records };
        let report = mail::gate::check(&subject, &self.dns, depth, now).await;
        let checked = plan.fingerprint(before.as_ref());
        let (stored, turns) = self.write(means, plan, &report, &checked, cause).await?;
        let now = means.clock.now();
        let released = match may_leave(plan, &stored, now) {
            true => release::held(means, plan, self.equipment.as_ref(), now).await,
            false => Ok(Released::default()),
        };
        // Whatever became of that: what has changed is told once.
        self.tell(means, plan, &stored, turns).await;
        Ok(Some(Checked { domain: stored, report, released: released?.mails }))
    }

    /// Writes the result on what is stored by then.
    async fn write(
        &self,
        means: Means<'_>,
        plan: &Plan,
        report: &Report,
        checked: &str,
        cause: Cause,
    ) -> Result<(Domain, Turns), StoreError> {
        for _ in 0..TRIES {
            let now = means.clock.now();
            let stored = means.store.domain(&plan.domain).await?.unwrap_or_else(|| Domain::unknown(&plan.domain));
            if plan.fingerprint(Some(&stored)) != checked {
                // Another key signs since: what was looked at is no longer so.
                return Err(StoreError::Contended);
            }
            let before = self.seen(stored, |_| true);
            let first = report.by(plan.first_relay());
            let (mut stored, turn) = policy::after_check(&before, &first, now);
            let mut turns = Turns { first: turn, further: Vec::new() };
            stored.relays.clear();
            for relay in plan.further_relays() {
                let (standing, turn) = policy::after_check_by(&before, report, relay, now);
                stored.next_check_at = stored.next_check_at.min(standing.next_check_at);
                turns.further.push(turn);
                stored.relays.push(standing);
            }
            let new = is_news(before.report.as_ref(), report).then(|| NewDomainCheck {
                id: means.ids.next(&emails()).uuid(),
                cause: cause.as_str().to_owned(),
                verdict: first.verdict().as_str().to_owned(),
                state: stored.state,
                report: as_json(report),
            });
            stored.report = Some(as_json(report));
            stored.plan = Some(checked.to_owned());
            // What signs when all is well signs on, whatever further keys the configuration gets.
            let chosen = stored.selector.as_deref().is_some_and(|selector| plan.has(selector));
            if first.verdict() == Verdict::Pass && !chosen {
                stored.selector = plan.only_selector().map(str::to_owned);
            }
            if means.store.save_domain(&stored, new.as_ref(), now).await? {
                stored.revision += 1;
                self.known.write(stored.clone(), now);
                return Ok((stored, turns));
            }
        }
        Err(StoreError::Contended)
    }
}

/// Whether a report says something else than the one before: what is good or only good to know is not compared.
fn is_news(before: Option<&serde_json::Value>, report: &Report) -> bool {
    let Some(before) = before.and_then(|before| serde_json::from_value::<Report>(before.clone()).ok()) else {
        return true;
    };
    let matters = |report: &Report| -> Vec<_> {
        let bad = report.findings.iter().filter(|finding| finding.severity > Severity::Info);
        bad.map(|finding| (finding.rule.clone(), finding.place.clone(), finding.found.clone())).collect()
    };
    before.verdict() != report.verdict() || matters(&before) != matters(report)
}

fn as_json(report: &Report) -> serde_json::Value {
    serde_json::to_value(report).expect("a report is texts and lists")
}
