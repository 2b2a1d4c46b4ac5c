# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt

from icalendar import (
    Alarm, Calendar, Event, Timezone, vCalAddress, vText, vUri)

from trytond.pool import PoolMeta

from ..moment import company_timezone, to_local

PRODID = '-//Tryton//sale_opportunity_management//EN'
PARTSTAT = {
    'needs_action': 'NEEDS-ACTION',
    'accepted': 'ACCEPTED',
    'tentative': 'TENTATIVE',
    'declined': 'DECLINED',
    }


def new_calendar(method=None):
    "Return an empty calendar"
    calendar = Calendar()
    calendar.add('prodid', PRODID)
    calendar.add('version', '2.0')
    if method:
        calendar.add('method', method)
    return calendar


def add_timezones(calendar, company, dates):
    "Add the definition of the company's time zone for the dates"
    zone = company_timezone(company)
    if zone.key == 'UTC' or not dates:
        return
    # A year more tells the next changes of the clocks
    year = dt.timedelta(days=366)
    calendar.subcomponents.insert(0, Timezone.from_tzinfo(
            zone, zone.key,
            first_date=(min(dates) - year).date(),
            last_date=(max(dates) + year).date()))


class Meeting(metaclass=PoolMeta):
    __name__ = 'sale.meeting'

    def invitation_calendar(self, attendee, method):
        "Return the iCalendar for the attendee"
        calendar = new_calendar(method)
        event = self.calendar_event()
        if method == 'CANCEL' and self.state != 'cancelled':
            del event['STATUS']
            event['ATTENDEE'] = self._calendar_attendee(attendee)
        elif method == 'REQUEST' and not attendee.employee:
            if alarm := self._calendar_alarm():
                event.add_component(alarm)
        calendar.add_component(event)
        if not self.whole_day:
            add_timezones(
                calendar, self.company, [self.planned_date, self.end_date])
        return calendar.to_ical()

    def calendar_event(self):
        "Return the event of the iCalendar"
        event = Event()
        event.add('uid', self.uid)
        event.add('sequence', self.sequence)
        event.add('dtstamp', dt.datetime.now(dt.timezone.utc))
        start = to_local(self.company, self.planned_date)
        end = to_local(self.company, self.end_date)
        if self.whole_day:
            start, end = start.date(), end.date()
        event.add('dtstart', start)
        event.add('dtend', end)
        event.add('summary', self.summary)
        if self.agenda:
            event.add('description', self.agenda)
        if location := ', '.join(filter(None, [self.place, self.link])):
            event.add('location', location)
        if self.link:
            event['URL'] = vUri(self.link)
        event.add('status', {
                'pending': 'CONFIRMED',
                'done': 'CONFIRMED',
                'cancelled': 'CANCELLED',
                }[self.state])
        organizer = vCalAddress(f'mailto:{self.reply_address}')
        organizer.params['CN'] = vText(self.assignee.rec_name)
        event['ORGANIZER'] = organizer
        for attendee in self.attendees:
            if not attendee.email or attendee.employee == self.assignee:
                continue
            event.add(
                'attendee', self._calendar_attendee(attendee), encode=0)
        return event

    def _calendar_alarm(self):
        if not self.reminder_date:
            return
        alarm = Alarm()
        alarm.add('action', 'DISPLAY')
        alarm.add('description', self.summary)
        alarm.add('trigger', self.reminder_date - self.planned_date)
        return alarm

    @staticmethod
    def _calendar_attendee(attendee):
        address = vCalAddress(f'mailto:{attendee.email}')
        address.params['CN'] = vText(attendee.rec_name)
        address.params['ROLE'] = vText('REQ-PARTICIPANT')
        address.params['PARTSTAT'] = vText(PARTSTAT[attendee.answer])
        address.params['RSVP'] = vText('TRUE')
        return address
