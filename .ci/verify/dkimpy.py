"""Verifies every mail of a folder with dkimpy, against the zone file beside them. Called by ./dkimpy."""

import email
import email.policy
import pathlib
import shlex
import sys

import dkim


def texts(zone: str) -> dict[str, list[bytes]]:
    """The TXT records of a zone file: absolute names, one record a line, quoted strings."""
    found: dict[str, list[bytes]] = {}
    for line in zone.splitlines():
        name, _ttl, _class, kind, data = line.split(None, 4)
        if kind == "TXT":
            found.setdefault(name.lower(), []).append("".join(shlex.split(data)).encode())
    return found


def verifies(message: bytes, records: dict[str, list[bytes]]) -> bool:
    """Whether the message's one signature verifies."""

    def lookup(name: bytes, timeout: int = 5) -> bytes | None:
        answers = records.get(name.decode().lower().rstrip(".") + ".", [])
        return answers[0] if len(answers) == 1 else None

    verifier = dkim.DKIM(message, minkey=2048)
    try:
        return verifier.verify(dnsfunc=lookup)
    except dkim.DKIMException as error:
        print(f"  dkimpy: {error}")
        return False


def faults(message: bytes, records: dict[str, list[bytes]]) -> list[str]:
    """What is wrong with a mail that should be right."""
    wrong = []
    if not verifies(message, records):
        wrong.append("its signature does not verify")
    # The last byte of the body that is not a line end: relaxed canonicalization would forgive blanks.
    body = message.index(b"\r\n\r\n") + 4
    at = len(message.rstrip()) - 1
    changed = message[:at] + (b"x" if message[at : at + 1] != b"x" else b"y") + message[at + 1 :]
    if at <= body or verifies_quietly(changed, records):
        wrong.append("it verifies although a byte was changed")
    if verifies_quietly(b"From: a@postrider.test\r\n" + message, records):
        wrong.append("it verifies although a second From was put above")
    parsed = email.message_from_bytes(message, policy=email.policy.default)
    defects = [defect for part in parsed.walk() for defect in part.defects]
    if defects:
        wrong.append(f"Python's parser finds defects: {defects}")
    for name in ("From", "Date", "Message-ID", "Subject", "To"):
        if len(parsed.get_all(name, [])) != 1:
            wrong.append(f"{name} is not there exactly once")
    if not any(part.get_content_type() == "text/plain" and part.get_content().strip() for part in parsed.walk()):
        wrong.append("it has no text part")
    if any(len(line) > 998 for line in message.split(b"\r\n")):
        wrong.append("a line is longer than 998 octets")
    return wrong


def verifies_quietly(message: bytes, records: dict[str, list[bytes]]) -> bool:
    """As verifies, for a message that should not."""

    def lookup(name: bytes, timeout: int = 5) -> bytes | None:
        return records.get(name.decode().lower().rstrip(".") + ".", [None])[0]

    try:
        return dkim.DKIM(message).verify(dnsfunc=lookup)
    except dkim.DKIMException:
        return False


def main(folder: pathlib.Path) -> int:
    records = texts((folder / "zone.txt").read_text())
    mails = sorted(folder.glob("*.eml"))
    bad = 0
    for path in mails:
        wrong = faults(path.read_bytes(), records)
        bad += bool(wrong)
        for fault in wrong:
            print(f"{path.name}: {fault}")
    print(f"dkimpy {len(mails) - bad} of {len(mails)} mails verify, and none of them does once it is changed")
    return 1 if bad or len(mails) < 10 else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])))
