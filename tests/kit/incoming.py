"""Mails as the world sends them back: delivery reports, complaints, replies, out-of-office notes."""

from __future__ import annotations

__all__ = ["auto_reply", "complaint", "dsn", "ours", "postfix", "qmail", "reply"]

_OURS = """\
Return-Path: <{path}>
From: Parcours <hello@parcours.example>
To: =?utf-8?b?Wm/DqQ==?= <zoe@example.com>
Subject: Ten per cent off
Date: Mon, 04 May 2026 09:00:00 +0000
Message-ID: <{key}@parcours.example>
MIME-Version: 1.0
{list}Content-Type: text/plain; charset=utf-8

Bonjour.
"""
"""What we had sent, as a report has it."""


def ours(key: str, path: str = "hello@parcours.example", unsubscribe: str = "") -> str:
    listed = f"List-Unsubscribe: <{unsubscribe}>\n" if unsubscribe else ""
    return _OURS.format(key=key, path=path, list=listed)


def dsn(
    original: str,
    *,
    action: str = "failed",
    status: str = "5.1.1",
    words: str = "550 5.1.1 <zoe@example.com>: Recipient address rejected: User unknown",
    recipient: str = "zoe@example.com",
    returned: str = "message/rfc822",
    to: str = "bounce@parcours.example",
) -> bytes:
    """A delivery status notification (RFC 3464)."""
    return f"""\
Return-Path: <>
Date: Mon, 4 May 2026 09:05:00 +0000 (UTC)
From: MAILER-DAEMON@mx.example.com (Mail Delivery System)
Subject: Undelivered Mail Returned to Sender
To: {to}
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
 boundary="8CB8D2A0A63.1777885500/mx.example.com"
Message-Id: <20260504090500.5B3C41A@mx.example.com>

This is a MIME-encapsulated message.

--8CB8D2A0A63.1777885500/mx.example.com
Content-Description: Notification
Content-Type: text/plain; charset=utf-8

This is the mail system at host mx.example.com.

<{recipient}>: host mail.example.com[192.0.2.1] said: {words}

--8CB8D2A0A63.1777885500/mx.example.com
Content-Description: Delivery report
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.com
X-Postfix-Queue-ID: 8CB8D2A0A63
Arrival-Date: Mon, 4 May 2026 09:00:01 +0000 (UTC)

Final-Recipient: rfc822; {recipient}
Original-Recipient: rfc822;{recipient}
Action: {action}
Status: {status}
Remote-MTA: dns; mail.example.com
Diagnostic-Code: smtp; {words}

--8CB8D2A0A63.1777885500/mx.example.com
Content-Description: Undelivered Message
Content-Type: {returned}
Content-Transfer-Encoding: 8bit

{original}
--8CB8D2A0A63.1777885500/mx.example.com--
""".encode()


def postfix(key: str, to: str, **changes: str) -> bytes:
    """Postfix's report of a message of ours, to its return path."""
    return dsn(ours(key, to), to=to, **changes)


def qmail(recipient: str = "zoe@example.com") -> bytes:
    """qmail's own form: no report, just words."""
    return f"""\
Return-Path: <>
From: MAILER-DAEMON@mx.example.com
To: hello@parcours.example
Subject: failure notice
Date: 4 May 2026 09:05:00 -0000
Message-ID: <20260504090500.1234.qmail@mx.example.com>

Hi. This is the qmail-send program at mx.example.com.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<{recipient}>:
192.0.2.1 does not like recipient.
Remote host said: 550 5.1.1 <{recipient}>: no such user here
Giving up on 192.0.2.1.

--- Below this line is a copy of the message.

Subject: Ten per cent off

Bonjour.
""".encode()


def complaint(original: str, *, feedback: str = "abuse", recipient: str = "zoe@example.com") -> bytes:
    """A complaint (ARF, RFC 5965)."""
    return f"""\
From: <abusedesk@provider.example>
Date: Mon, 4 May 2026 12:00:00 +0000
Subject: FW: Ten per cent off
To: <abuse@parcours.example>
Message-ID: <feedback-1@provider.example>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report;
 boundary="part1_13d.2e68ed54_boundary"

--part1_13d.2e68ed54_boundary
Content-Type: text/plain; charset="US-ASCII"
Content-Transfer-Encoding: 7bit

This is an email abuse report for an email message received from IP 192.0.2.1
on Mon, 4 May 2026 11:58:00 +0000.

--part1_13d.2e68ed54_boundary
Content-Type: message/feedback-report

Feedback-Type: {feedback}
User-Agent: SomeGenerator/1.0
Version: 1
Original-Rcpt-To: <{recipient}>
Arrival-Date: Mon, 4 May 2026 09:00:00 +0000
Source-IP: 192.0.2.1

--part1_13d.2e68ed54_boundary
Content-Type: message/rfc822
Content-Disposition: inline

{original}
--part1_13d.2e68ed54_boundary--
""".encode()


def reply(
    text: str,
    *,
    to: str = "hello@parcours.example",
    answers: str | None = None,
    sender: str = "Zoé <zoe@example.com>",
    message_id: str = "reply-1@phone.example",
    subject: str = "Re: Ten per cent off",
    headers: str = "",
) -> bytes:
    """A person's answer, with what she quotes."""
    named = f"In-Reply-To: <{answers}>\nReferences: <{answers}>\n" if answers is not None else ""
    return f"""\
From: {sender}
To: {to}
Subject: {subject}
Date: Mon, 4 May 2026 10:00:00 +0200
Message-ID: <{message_id}>
{named}{headers}MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

{text}

On Mon, 4 May 2026 at 09:00, Parcours <hello@parcours.example> wrote:
> Bonjour.
> Ten per cent off the bottles you know.
""".encode()


def auto_reply(headers: str, *, to: str, subject: str = "Re: Ten per cent off", answers: str | None = None) -> bytes:
    """A machine's answer."""
    return reply(
        "I am away until Monday. YES, I will read your mail then.",
        to=to,
        answers=answers,
        headers=headers,
        subject=subject,
    )
