//! `postrider templates preview`: one template, filled with its sample, as files that a browser and a mail program open.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::Context as _;
use jiff::Timestamp;
use mail::{Draft, EmailAddress, Locale, Mailbox, MessageId, Renderer, SenderProfile};

use crate::commands::Usage;
use crate::output::{hint, print};

/// Which one, and where to.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The template, as `postrider templates list` names it
    #[arg(value_name = "NAME")]
    name: String,
    /// The reader's language, as de or es-MX; the nearest that is there is taken
    #[arg(long, value_name = "TAG", default_value = "en")]
    locale: Locale,
    /// The folder to write to, made if it is not there; a folder for temporary files unless given
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Runs it.
pub fn run(renderer: &Renderer, args: &Args) -> anyhow::Result<ExitCode> {
    let name = args.name.as_str();
    let Ok(locale) = renderer.spoken(name, &args.locale) else {
        let known = renderer.names().join(", ");
        return Err(Usage(format!("there is no template {name:?}; there are {known}")).into());
    };
    if locale.language() != args.locale.language() {
        hint(&format!("{name} is not there in {}: this is {locale}", args.locale));
    }
    let dir = args.out.clone().unwrap_or_else(|| std::env::temp_dir().join("postrider-previews"));
    std::fs::create_dir_all(&dir).with_context(|| format!("--out {}", dir.display()))?;
    let shown = renderer.preview(name, &locale)?;
    let files = [
        ("html", shown.html.into_bytes()),
        ("txt", format!("Subject: {}\n\n{}", shown.subject, shown.text).into_bytes()),
        ("eml", message(renderer, name, &locale)?),
    ];
    let mut first = None;
    for (extension, bytes) in files {
        let path = dir.join(format!("{name}.{locale}.{extension}"));
        std::fs::write(&path, bytes).with_context(|| path.display().to_string())?;
        print(&format!("{}\n", path.display()))?;
        first.get_or_insert(path);
    }
    if let (None, true, Some(html)) = (&args.out, std::io::stdout().is_terminal(), first) {
        open(&html);
    }
    Ok(ExitCode::SUCCESS)
}

/// The mail as it would be sent, but for its signature.
fn message(renderer: &Renderer, name: &str, locale: &Locale) -> anyhow::Result<Vec<u8>> {
    let sample = renderer.sample(name, locale).context("a template has a sample")?;
    let content = renderer.render(name, locale, sample)?;
    let sender = SenderProfile {
        key: "preview".to_owned(),
        address: EmailAddress::parse("preview@postrider.test")?,
        display_name: Some("Preview".to_owned()),
        reply_to: None,
        dkim_selector: "preview".to_owned(),
    };
    let to = [Mailbox::new(Some("Zoë Fernández"), EmailAddress::parse("zoe@example.com")?)?];
    let id = MessageId::for_delivery("preview", "postrider.test")?;
    let draft = Draft {
        attachments: renderer.pictures(name),
        ..Draft::new(&sender, &to, &content, &id, Timestamp::UNIX_EPOCH, "preview")
    };
    Ok(draft.build()?)
}

/// Asks the desktop to show a file. Where there is none, the printed path is all there is.
fn open(path: &Path) {
    let opener = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let opened =
        Command::new(opener).arg(path).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    if opened.is_err() {
        hint("there is no desktop here to open it with");
    }
}
