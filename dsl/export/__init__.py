"""The export of journeys to statecharts that others run and show: SCXML (W3C, 2015), and JSON of XState 5.

Both write down the same tree (`dsl.export.statechart`). Boxes stand under one state `live`, which has the arrows of
`@Anywhere`; a stage is a state around its boxes; a box that sends is one with `sending`, `waiting` and `put-off` within.
What an interpreter can't know of a customer it is told, event by event, as the engine tells its stepper:

| event | what happened | data |
|---|---|---|
| `parcours.enter` | she is let in | |
| an answer's or event's own name | it happened | `visit`, which it answers; `answer_N` where the payload decides |
| `parcours.sent`, `parcours.not_sent` | the box's action is done, or refused | `wait_N`; `answer_N` where the reason decides |
| `parcours.put_off` | the provider takes it later | `wait` |
| `parcours.measured` | her waits are measured, or measured anew | `wait_N` |

`N` is an arrow's number, as `dsl.ir.IR.arrows` counts from 0, in `wait_N`, and an answer's of `IR.listens` in `answer_N`. A
wait which isn't there for her is left out. Events are told one at a time, in the order in which the stepper hears them.
What stays outside: events before a box that looks back on them, and of which enrolment an event is where several run.
"""

from dsl.export.scxml import scxml
from dsl.export.xstate import xstate

__all__ = ["scxml", "xstate"]
