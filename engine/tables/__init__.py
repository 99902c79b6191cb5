"""The tables: everything Parcours keeps, as SQLModel classes. Rows are read by analysts: names are whole words.

Times are journey time in UTC. Money is in whole minor units (cents). Migrations live beside, in `engine/migrations`.
"""

from engine.tables.calls import CallAttempt, CallDeferral, CallEvent, CallQueue, CallTask
from engine.tables.columns import Kept, Moment
from engine.tables.customers import Consent, Customer, Exposure, Purchase, Suppression, SuppressionLift
from engine.tables.enrolments import Cohort, Enrolment, EntryRefusal, QueuedEntry, Step
from engine.tables.feeds import Feed, FeedItem, FeedPost, FeedSource, SegmentFeed, SegmentItem, SegmentToken
from engine.tables.journeys import (
    Journey,
    JourneyToggle,
    JourneyVersion,
    KnobChange,
    Offer,
    OfferVersion,
    TemplateVersion,
)
from engine.tables.letters import Letter, PrintRun
from engine.tables.mail import Bounce, MailTally, StrayMail, WebhookToken
from engine.tables.messages import Event, LateAnswer, Message, MessageEvent, RejectedEvent
from engine.tables.running import ApiKey, ImportRun, Lease, Pace
from engine.tables.webhooks import Webhook, WebhookDelivery, WebhookTry

__all__ = [
    "ApiKey",
    "Bounce",
    "CallAttempt",
    "CallDeferral",
    "CallEvent",
    "CallQueue",
    "CallTask",
    "Cohort",
    "Consent",
    "Customer",
    "Enrolment",
    "EntryRefusal",
    "Event",
    "Exposure",
    "Feed",
    "FeedItem",
    "FeedPost",
    "FeedSource",
    "ImportRun",
    "Journey",
    "JourneyToggle",
    "JourneyVersion",
    "Kept",
    "KnobChange",
    "LateAnswer",
    "Lease",
    "Letter",
    "MailTally",
    "Message",
    "MessageEvent",
    "Moment",
    "Offer",
    "OfferVersion",
    "Pace",
    "PrintRun",
    "Purchase",
    "QueuedEntry",
    "RejectedEvent",
    "SegmentFeed",
    "SegmentItem",
    "SegmentToken",
    "Step",
    "StrayMail",
    "Suppression",
    "SuppressionLift",
    "TemplateVersion",
    "Webhook",
    "WebhookDelivery",
    "WebhookToken",
    "WebhookTry",
]
