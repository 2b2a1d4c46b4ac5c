# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import base64
import email
import logging
import re
from email.policy import default as default_policy

from icalendar import Calendar

from trytond.pool import PoolMeta
from trytond.transaction import Transaction, without_check_access

from .calendar_ import PARTSTAT

logger = logging.getLogger(__name__)
_CALENDAR_TYPES = {'text/calendar', 'application/ics'}


class Email(metaclass=PoolMeta):
    __name__ = 'inbound.email'

    def _as_dict(self, raw):
        value = super()._as_dict(raw)
        if isinstance(raw, str):
            message = email.message_from_string(raw, policy=default_policy)
        else:
            message = email.message_from_bytes(raw, policy=default_policy)
        # Most are an alternative of the text, not an attachment
        value['calendars'] = [
            part.get_payload(decode=True) for part in message.walk()
            if part.get_content_type() in _CALENDAR_TYPES]
        return value

    def _as_dict_postmark(self, payload):
        value = super()._as_dict_postmark(payload)
        value['calendars'] = [
            base64.b64decode(a['Content'])
            for a in payload.get('Attachments', [])
            if a['ContentType'].split(';')[0].strip() in _CALENDAR_TYPES]
        return value


class Rule(metaclass=PoolMeta):
    __name__ = 'inbound.email.rule'

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.action.selection.append(
            ('sale.meeting.attendee|answer_inbound_email',
                "Answer Meeting Invitation"))


class Attendee(metaclass=PoolMeta):
    __name__ = 'sale.meeting.attendee'

    @classmethod
    @without_check_access
    def answer_inbound_email(cls, inbound_email, rule):
        "Record the answer that the calendar of an attendee has sent"
        message = inbound_email.as_dict()
        from_ = message.get('from', '').lower()
        for calendar in message.get('calendars', []):
            for reply in cls._parse_replies(calendar):
                if attendee := cls._find_reply(from_, *reply):
                    _, _, _, answer = reply
                    with Transaction().set_context(
                            company=attendee.meeting.company.id):
                        cls.give_answer([attendee], answer)
                    return attendee

    @classmethod
    def _parse_replies(cls, data):
        "Yield UID, sequence, e-mail and answer of the replies"
        try:
            calendar = Calendar.from_ical(data)
        except (ValueError, IndexError):
            logger.info("unreadable calendar in inbound email", exc_info=True)
            return
        if str(calendar.get('method', '')).upper() != 'REPLY':
            return
        answers = {v: k for k, v in PARTSTAT.items()}
        for event in calendar.walk('VEVENT'):
            attendees = event.get('attendee', [])
            if not isinstance(attendees, list):
                attendees = [attendees]
            if len(attendees) != 1:
                continue
            attendee, = attendees
            address = re.sub(r'(?i)^mailto:', '', str(attendee)).strip()
            answer = answers.get(
                str(attendee.params.get('PARTSTAT', '')).upper())
            try:
                sequence = int(event.get('sequence', 0))
            except (TypeError, ValueError):
                continue
            if answer and answer != cls.default_answer():
                yield (
                    str(event.get('uid', '')), sequence, address.lower(),
                    answer)

    @classmethod
    def _find_reply(cls, from_, uid, sequence, address, answer):
        "Return the attendee if the reply is to what was sent last"
        if from_ != address:
            return
        attendees = cls.search([
                ('meeting.uid', '=', uid),
                ('email', '=', address),
                ('sent_sequence', '!=', None),
                ])
        for attendee in attendees:
            meeting = attendee.meeting
            if meeting.is_announced and sequence >= meeting.sequence:
                return attendee
