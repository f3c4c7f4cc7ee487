//! A template as it would look, for a browser: filled with its sample, its pictures put in.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{RenderError, Rendered, Renderer};
use crate::locale::Locale;

impl Renderer {
    /// Template `name` with its sample, in the language that comes closest to `locale`. Pictures, which a mail carries as
    /// attachments, stand in the HTML as `data:` URLs.
    ///
    /// # Errors
    /// As [`Renderer::render`].
    pub fn preview(&self, name: &str, locale: &Locale) -> Result<Rendered, RenderError> {
        let sample = self.sample(name, locale).ok_or_else(|| RenderError::UnknownTemplate(name.to_owned()))?;
        let mut shown = self.render(name, locale, sample)?;
        for picture in self.pictures(name) {
            let Some(id) = picture.content_id() else { continue };
            let data = format!("src=\"data:{};base64,{}\"", picture.content_type(), STANDARD.encode(picture.bytes()));
            shown.html = shown.html.replace(&format!("src=\"cid:{id}\""), &data);
        }
        Ok(shown)
    }
}
