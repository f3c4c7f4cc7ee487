//! What a mail says: a template of ours filled with the row's data, or what a caller of `POST /v1/emails` had sealed.

use std::borrow::Cow;
use std::time::Duration;

use mail::message::ascii_words;
use mail::{Attachment, Header, Locale, Mailbox, RenderError, Rendered};
use secrets::Purpose;
use serde_json::Value;
use store::{Category, Delivery};

use super::render::unsendable;
use super::{Halt, Send};
use crate::alerts::link;
use crate::email_content::{self, EmailBody};
use crate::lacking::Lack;

/// When a store that did not answer, or a key that is missing, is asked for again.
const WAIT: Duration = Duration::from_secs(30);
/// How long an unsubscribe link works.
const LINK: Duration = Duration::from_secs(180 * 86_400);
/// Where a template wants to have that link.
const LINK_FIELD: &str = "unsubscribe_url";
/// Tells in a mail that went elsewhere for whom it was.
const REDIRECTED: &str = "X-Postrider-Redirected-From";

/// Everything in a mail that its row does not say by itself.
#[derive(Default)]
pub(super) struct Words {
    pub(super) rendered: Option<Rendered>,
    pub(super) to: Vec<Mailbox>,
    pub(super) cc: Vec<Mailbox>,
    pub(super) reply_to: Vec<Mailbox>,
    pub(super) headers: Vec<Header>,
    pub(super) attachments: Vec<Attachment>,
    /// Whether the words came sealed: then the subject is not written into the ledger in clear.
    pub(super) sealed: bool,
}

impl Send<'_> {
    pub(super) async fn words(&self, delivery: &Delivery, redirected: bool) -> Result<Words, Halt> {
        let mut words = match delivery.email_id {
            Some(id) => self.given(delivery, id).await?,
            None => Words::default(),
        };
        let unsubscribe = self.unsubscribe(delivery);
        if words.rendered.is_none() {
            let locale = Locale::or_english(delivery.locale.as_deref());
            let acknowledged = self.with_acknowledge_link(delivery);
            let (renderer, data) = (&self.mailer.renderer, with_link(&acknowledged, unsubscribe.as_deref()));
            let rendered = renderer.render(&delivery.template, &locale, &data);
            words.rendered = Some(self.filled(delivery, rendered, RenderError::to_string).await?);
            words.attachments = renderer.charts(&delivery.template, &data).map_err(unsendable)?;
        }
        if words.to.is_empty() {
            let address = delivery.recipient.parse().map_err(unsendable)?;
            words.to = vec![Mailbox::new(delivery.recipient_name.as_deref(), address).map_err(unsendable)?];
        }
        if let Some(url) = unsubscribe {
            words.headers.extend(Header::one_click_unsubscribe(&url).map_err(unsendable)?);
        }
        if redirected {
            words.headers.push(Header::new(REDIRECTED, &ascii_words(&delivery.recipient)).map_err(unsendable)?);
        }
        Ok(words)
    }

    /// What the template is filled with. The link by which an incident is taken on is made now, the same in every attempt:
    /// who reads the ledger must not be able to follow it.
    fn with_acknowledge_link<'d>(&self, delivery: &'d Delivery) -> Cow<'d, Value> {
        let message = delivery.data.get("notification_id").and_then(Value::as_str).and_then(|id| id.parse().ok());
        let (Some(message), Some(ring)) = (message, &self.context.secrets) else {
            return Cow::Borrowed(&delivery.data);
        };
        if delivery.category != Category::Alert || delivery.data.get("reason").is_some_and(|why| why == "resolved") {
            return Cow::Borrowed(&delivery.data);
        }
        let mut data = delivery.data.clone();
        let url = link::acknowledge(ring, &self.context.public_url, message, delivery.created_at);
        data["ack_url"] = Value::String(url);
        Cow::Owned(data)
    }

    /// What a caller had sealed, and whom the mail is shown to be for.
    async fn given(&self, delivery: &Delivery, id: uuid::Uuid) -> Result<Words, Halt> {
        let later = |why: String| Halt::Later { why, wait: WAIT };
        let email = self.context.store.get_email(id).await.map_err(|e| later(format!("the store is away: {e}")))?;
        let email = email.ok_or_else(|| unsendable(format!("no email {id} is stored")))?;
        if let Some(send_at) = email.send_at.filter(|at| *at > self.now()) {
            let wait = Duration::try_from(send_at.duration_since(self.now())).unwrap_or(WAIT);
            return Err(Halt::Later { why: "it is not due yet".to_owned(), wait });
        }
        let ring = self.context.secrets.as_deref();
        let content = email_content::open(ring, id, email.content.as_deref()).map_err(|e| match e.is_transient() {
            true => later(e.to_string()),
            false => unsendable(e),
        })?;
        let mut attachments = content.attachments;
        let rendered = match &content.body {
            EmailBody::Template(data) => {
                let (renderer, template) = (&self.mailer.renderer, delivery.template.as_str());
                let locale = Locale::or_english(delivery.locale.as_deref());
                let rendered = renderer.render(template, &locale, data);
                let rendered = self.filled(delivery, rendered, unfilled).await?;
                attachments.extend(renderer.charts(template, data).map_err(|e| unsendable(unfilled(&e)))?);
                rendered
            }
            EmailBody::Given { .. } => content.body.given().ok_or_else(|| unsendable("there are no words"))?,
        };
        let read = |list: &[String]| list.iter().map(|text| text.parse()).collect::<Result<Vec<Mailbox>, _>>();
        let headers = content.headers.iter().map(|(name, value)| Header::new(name, value)).collect::<Result<_, _>>();
        Ok(Words {
            rendered: Some(rendered),
            to: read(&email.recipients.to).map_err(unsendable)?,
            cc: read(&email.recipients.cc).map_err(unsendable)?,
            reply_to: read(&content.reply_to).map_err(unsendable)?,
            headers: headers.map_err(unsendable)?,
            attachments,
            sealed: true,
        })
    }

    /// What came of filling a template. One that this worker lacks may be there in another.
    async fn filled(
        &self,
        delivery: &Delivery,
        rendered: Result<Rendered, RenderError>,
        told: impl Fn(&RenderError) -> String + std::marker::Send,
    ) -> Result<Rendered, Halt> {
        let lack = || Lack::Template(delivery.template.clone());
        match rendered {
            Ok(rendered) => {
                self.has(delivery, lack()).await;
                Ok(rendered)
            }
            Err(RenderError::UnknownTemplate(_)) => Err(self.lacks(delivery, lack()).await),
            Err(e) => Err(unsendable(told(&e))),
        }
    }

    /// The link by which a reader, or their mail program, ends a kind of mail (RFC 8058): only where there is one to end.
    fn unsubscribe(&self, delivery: &Delivery) -> Option<String> {
        let ring = self.context.secrets.as_ref().filter(|_| delivery.category.can_be_unsubscribed())?;
        // From the mail's own date, so that every attempt writes the same link.
        let expires = job::clock::after(delivery.created_at, LINK);
        let token = ring.sign_link(Purpose::Unsubscribe, &delivery.id.to_string(), expires);
        Some(format!("{}/unsubscribe/{token}", self.context.public_url))
    }
}

/// The data of a mail, with the reader's own link where it asks for one by a null. A link is made when the mail goes and is
/// kept nowhere.
fn with_link<'d>(data: &'d Value, link: Option<&str>) -> Cow<'d, Value> {
    match (data.get(LINK_FIELD), link) {
        (Some(Value::Null), Some(link)) => {
            let mut data = data.clone();
            data[LINK_FIELD] = link.into();
            Cow::Owned(data)
        }
        _ => Cow::Borrowed(data),
    }
}

/// Why a template cannot be filled, without a word of what was sealed: the ledger is read by many.
fn unfilled(e: &RenderError) -> String {
    match e {
        RenderError::UnknownTemplate(_)
        | RenderError::MissingField { .. }
        | RenderError::Shape { .. }
        | RenderError::SubjectLineBreak { .. } => e.to_string(),
        _ => "its template cannot be filled with what was sealed".to_owned(),
    }
}
