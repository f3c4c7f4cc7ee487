"""Celery with Jinja2, dkimpy and smtplib as a peer at mail.

    celery_mail_peer.py enqueue N         puts N mails into the queue, prints mails a second
    celery -A celery_mail_peer worker …   the worker: see `run_mail`

PEERS_MAIL is the folder with the mail's parts, its data and the key, PEERS_SINK where it is sent: see `run_mail`. Celery is
set as in celery_peer.py.
"""

import json
import os
import sys
from email.message import EmailMessage
from email.policy import SMTP as WIRE
from email.utils import formatdate, make_msgid
from pathlib import Path
from smtplib import SMTP

import dkim
from jinja2 import Template

from celery_peer import app, enqueue

FOLDER = Path(os.environ["PEERS_MAIL"])
SENDER = "bookings@example.com"
KEY = (FOLDER / "dkim.pem").read_bytes()


def template(name, escape):
    return Template((FOLDER / name).read_text(encoding="utf-8"), autoescape=escape)


SUBJECT, TEXT, HTML = template("subject", False), template("text", False), template("html", True)

_relay = None


def relay():
    """A connection for each worker process, kept, and made when it is first needed: processes are forked."""
    global _relay
    if _relay is None:
        _relay = SMTP(*os.environ["PEERS_SINK"].split(":"))
    return _relay


# Named: it is __main__ that enqueues it.
@app.task(name="mail")
def mail(n, to, booking):
    message = EmailMessage(policy=WIRE)
    message["From"] = f"Bookings <{SENDER}>"
    message["To"] = to
    message["Subject"] = SUBJECT.render(booking)
    message["Date"] = formatdate()
    message["Message-ID"] = make_msgid(domain="example.com")
    message.set_content(TEXT.render(booking), cte="quoted-printable")
    message.add_alternative(HTML.render(booking), subtype="html", cte="quoted-printable")
    body = message.as_bytes()
    signature = dkim.sign(body, b"bench", b"example.com", KEY, canonicalize=(b"relaxed", b"relaxed"))
    relay().sendmail(SENDER, [to], signature + body)


if __name__ == "__main__":
    if sys.argv[1] != "enqueue":
        sys.exit(__doc__)
    enqueue(int(sys.argv[2]), mail, json.loads((FOLDER / "sample.json").read_text(encoding="utf-8")))
