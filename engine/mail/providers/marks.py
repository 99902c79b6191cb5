"""Our send's key in a mail's head, where each provider's SMTP server looks for what its webhooks are to give back.

Providers put Message-IDs and return paths of their own in place of ours: what they were told here finds the send all the same.
"""

from __future__ import annotations

from engine.settings import Settings

__all__ = ["marks"]


def marks(settings: Settings) -> tuple[tuple[str, str], ...]:
    """Headers, with `%s` where the key stands, for the providers whose webhooks are taken. Each reads its own `parcours`."""
    headers = (
        (settings.ses_topics, "X-SES-MESSAGE-TAGS", "parcours=%s"),
        (settings.sendgrid_key, "X-SMTPAPI", '{"unique_args": {"parcours": "%s"}}'),
        (settings.mailgun_key.get_secret_value(), "X-Mailgun-Variables", '{"parcours": "%s"}'),
        (settings.postmark_login.get_secret_value(), "X-PM-Metadata-parcours", "%s"),
    )
    return tuple((name, value) for taken, name, value in headers if taken.strip())
