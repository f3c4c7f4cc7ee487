//! The grammar of commands (RFC 5321 §4.1.1).

use crate::address::EmailAddress;

/// A reply that refuses.
pub(super) type Refusal = (u16, &'static str);

const SYNTAX: Refusal = (501, "5.5.4 the argument is not understood");

/// A command with its arguments parsed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command {
    Ehlo { name: String, extended: bool },
    Mail { from: Option<EmailAddress>, size: Option<u64>, utf8: bool },
    Rcpt { to: EmailAddress },
    Data,
    Auth { mechanism: String, initial: Option<String> },
    StartTls,
    Rset,
    Noop,
    Vrfy,
    Help,
    Quit,
}

impl Command {
    pub(super) fn parse(line: &[u8]) -> Result<Self, Refusal> {
        let text = std::str::from_utf8(line).map_err(|_| (500, "5.5.2 the command is not UTF-8"))?;
        let text = text.trim_end_matches(' ');
        let (verb, argument) = text.split_once(' ').unwrap_or((text, ""));
        let argument = argument.trim_start_matches(' ');
        match verb.to_ascii_uppercase().as_str() {
            "EHLO" => Ok(Command::Ehlo { name: host(argument)?, extended: true }),
            "HELO" => Ok(Command::Ehlo { name: host(argument)?, extended: false }),
            "MAIL" => mail(argument),
            "RCPT" => rcpt(argument),
            "DATA" => no_argument(argument, Command::Data),
            "AUTH" => auth(argument),
            "STARTTLS" => no_argument(argument, Command::StartTls),
            "RSET" => no_argument(argument, Command::Rset),
            "QUIT" => no_argument(argument, Command::Quit),
            "NOOP" => Ok(Command::Noop),
            "VRFY" => Ok(Command::Vrfy),
            "HELP" => Ok(Command::Help),
            "EXPN" | "TURN" | "ETRN" | "BDAT" => Err((502, "5.5.1 not implemented")),
            _ => Err((500, "5.5.1 unknown command")),
        }
    }
}

fn no_argument(argument: &str, command: Command) -> Result<Command, Refusal> {
    if argument.is_empty() { Ok(command) } else { Err(SYNTAX) }
}

fn host(argument: &str) -> Result<String, Refusal> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b);
    if argument.is_empty() || argument.len() > 255 || !argument.bytes().all(fits) {
        return Err((501, "5.5.4 a host name is needed"));
    }
    Ok(argument.to_owned())
}

/// `FROM:<path> [parameters]` and `TO:<path>`; the keyword in any case, no blank after the colon (lenient: one).
fn path<'a>(argument: &'a str, keyword: &str) -> Result<(&'a str, &'a str), Refusal> {
    let start = argument.get(..keyword.len()).filter(|start| start.eq_ignore_ascii_case(keyword)).ok_or(SYNTAX)?;
    let rest = argument[start.len()..].trim_start_matches(' ');
    let rest = rest.strip_prefix('<').ok_or((501, "5.5.4 the address has to be in angle brackets"))?;
    let end = closing_bracket(rest).ok_or((501, "5.5.4 the address is not closed"))?;
    let parameters = &rest[end + 1..];
    if !parameters.is_empty() && !parameters.starts_with(' ') {
        return Err(SYNTAX);
    }
    Ok((&rest[..end], parameters.trim()))
}

/// The first `>` that is not inside a quoted string.
fn closing_bracket(text: &str) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    text.bytes().position(|b| {
        let special = !std::mem::take(&mut escaped);
        match b {
            b'\\' if special && quoted => escaped = true,
            b'"' if special => quoted = !quoted,
            b'>' if !quoted => return true,
            _ => {}
        }
        false
    })
}

fn address(path: &str) -> Result<EmailAddress, Refusal> {
    EmailAddress::parse(path).map_err(|_| (553, "5.1.3 not an address"))
}

fn mail(argument: &str) -> Result<Command, Refusal> {
    let (path, parameters) = path(argument, "FROM:")?;
    let from = if path.is_empty() { None } else { Some(address(path)?) };
    let (mut size, mut utf8) = (None, false);
    for parameter in parameters.split_ascii_whitespace() {
        let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        match (key.to_ascii_uppercase().as_str(), value.to_ascii_uppercase().as_str()) {
            ("SIZE", octets) => size = Some(octets.parse().map_err(|_| SYNTAX)?),
            ("BODY", "7BIT" | "8BITMIME") | ("AUTH", _) => {}
            // RFC 6531 §3.4: it has no value.
            ("SMTPUTF8", "") => utf8 = true,
            _ => return Err((555, "5.5.4 the parameter is not supported")),
        }
    }
    Ok(Command::Mail { from, size, utf8 })
}

fn rcpt(argument: &str) -> Result<Command, Refusal> {
    let (path, parameters) = path(argument, "TO:")?;
    if !parameters.is_empty() {
        return Err((555, "5.5.4 the parameter is not supported"));
    }
    Ok(Command::Rcpt { to: address(path)? })
}

fn auth(argument: &str) -> Result<Command, Refusal> {
    let mut words = argument.split_ascii_whitespace();
    let mechanism = words.next().ok_or(SYNTAX)?.to_ascii_uppercase();
    let initial = words.next().map(str::to_owned);
    if words.next().is_some() {
        return Err(SYNTAX);
    }
    Ok(Command::Auth { mechanism, initial })
}
