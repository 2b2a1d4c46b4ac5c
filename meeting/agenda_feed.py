# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt
from urllib.parse import quote, urljoin

from icalendar import Event

import trytond.config as config
from trytond.i18n import gettext
from trytond.model import ModelView, Unique, fields
from trytond.pool import Pool
from trytond.pyson import Eval
from trytond.transaction import Transaction, check_access, without_check_access
from trytond.url import http_base
from trytond.wizard import Button, StateTransition, StateView, Wizard

from ..access_token import AccessTokenMixin
from ..moment import this_minute, to_local
from .calendar_ import add_timezones, new_calendar
from .exceptions import AgendaFeedError

_PAST = dt.timedelta(days=30)
_FUTURE = dt.timedelta(days=366)
_LENGTH = dt.timedelta(minutes=15)


class AgendaFeed(AccessTokenMixin):
    __name__ = 'sale.agenda.feed'

    employee = fields.Many2One(
        'company.employee', "Employee", required=True, ondelete='CASCADE')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_constraints += [
            ('employee_unique', Unique(t, t.employee),
                'sale_opportunity_management.msg_agenda_feed_unique'),
            ]

    def get_rec_name(self, name):
        return self.employee.rec_name

    @classmethod
    def search_rec_name(cls, name, clause):
        return [('employee.rec_name', *clause[1:])]

    @classmethod
    def renew(cls, employee):
        "Return the address of a new feed that replaces the old one"
        cls.revoke(employee)
        token = cls.create_token(employee=employee.id)
        return urljoin(
            config.get(
                'sale_opportunity_management', 'calendar_base',
                default=http_base()),
            quote(
                '/%(database)s/sale_opportunity_management/calendar/'
                '%(token)s.ics' % {
                    'database': Transaction().database.name,
                    'token': token,
                    }))

    @classmethod
    @without_check_access
    def revoke(cls, employee):
        cls.delete(cls.search([('employee', '=', employee.id)]))

    @classmethod
    def get(cls, token):
        "Return the feed of the token if it is still in use"
        for feed in cls.search_token(token):
            with Transaction().set_context(company=feed.employee.company.id):
                feed = cls(feed.id)
                if feed.is_used:
                    return feed

    @property
    def is_used(self):
        pool = Pool()
        ModelAccess = pool.get('ir.model.access')
        User = pool.get('res.user')
        if not self.employee.active:
            return False
        for user in User.search([('employees', '=', self.employee.id)]):
            with Transaction().set_user(user.id), check_access():
                if ModelAccess.check(
                        'sale.activity', 'read', raise_exception=False):
                    return True
        return False

    def to_ical(self):
        "Return the iCalendar of what the employee has to do"
        company = self.employee.company
        calendar = new_calendar()
        name = gettext(
            'sale_opportunity_management.msg_agenda_feed_name',
            employee=self.employee.rec_name, company=company.rec_name)
        calendar.add('x-wr-calname', name)
        calendar.add('name', name)
        calendar.add(
            'refresh-interval', dt.timedelta(minutes=15),
            parameters={'VALUE': 'DURATION'})
        dates = []
        for event, start in self._events():
            calendar.add_component(event)
            dates.append(start)
        add_timezones(calendar, company, dates)
        return calendar.to_ical()

    def _period(self):
        now = this_minute()
        return now - _PAST, now + _FUTURE

    def _events(self):
        pool = Pool()
        Meeting = pool.get('sale.meeting')
        start, end = self._period()
        employee = self.employee.id
        for meeting in Meeting.search([
                    ('state', '=', 'pending'),
                    ('end_date', '>', start),
                    ('planned_date', '<', end),
                    ['OR',
                        ('assignee', '=', employee),
                        ('attendees', 'where', [
                                ('employee', '=', employee),
                                ('answer', '!=', 'declined'),
                                ]),
                        ],
                    ], order=[('planned_date', 'ASC'), ('id', 'ASC')]):
            yield self._meeting_event(meeting), meeting.planned_date
        for name in ['sale.call', 'sale.task']:
            Activity = pool.get(name)
            for activity in Activity.search([
                        ('state', '=', 'pending'),
                        ('assignee', '=', employee),
                        ('date', '>=', start),
                        ('date', '<', end),
                        ], order=[('date', 'ASC'), ('id', 'ASC')]):
                yield self._activity_event(activity), activity.planned_date

    def _meeting_event(self, meeting):
        event = meeting.calendar_event()
        self._stamp(event, meeting)
        # Only an invitation needs one: by default it is a login of the system
        if '@' not in meeting.reply_address:
            del event['ORGANIZER']
        return event

    def _activity_event(self, activity):
        event = Event()
        event.add('uid', '%s-%s@%s' % (
                activity.__name__, activity.id,
                Transaction().database.name))
        self._stamp(event, activity)
        start = to_local(self.employee.company, activity.planned_date)
        event.add('dtstart', start)
        event.add('dtend', to_local(
                self.employee.company, activity.planned_date + _LENGTH))
        event.add('summary', ': '.join(filter(None, [
                        activity.kind_text(activity.activity_kind),
                        activity.party.rec_name if activity.party else None,
                        activity.summary])))
        if description := '\n'.join(filter(None, [
                        getattr(activity, 'phone', None),
                        activity.description])):
            event.add('description', description)
        event.add('transp', 'TRANSPARENT')
        return event

    @staticmethod
    def _stamp(event, record):
        # The feed is the same as long as the records are
        date = record.write_date or record.create_date
        event.pop('DTSTAMP', None)
        event.add('dtstamp', date.replace(
                microsecond=0, tzinfo=dt.timezone.utc))


class AgendaFeedAddress(Wizard):
    __name__ = 'sale.agenda.feed.address'

    start = StateView(
        'sale.agenda.feed.address.start',
        'sale_opportunity_management.agenda_feed_address_start_view_form', [
            Button("Close", 'end', 'tryton-close'),
            Button(
                "Revoke", 'revoke', 'tryton-delete',
                states={
                    'invisible': ~Eval('created'),
                    }),
            Button("New Address", 'renew', 'tryton-ok', default=True),
            ])
    renew = StateTransition()
    address = StateView(
        'sale.agenda.feed.address.result',
        'sale_opportunity_management.agenda_feed_address_result_view_form', [
            Button("Close", 'end', 'tryton-close', default=True),
            ])
    revoke = StateTransition()

    def _get_employee(self):
        pool = Pool()
        User = pool.get('res.user')
        employee = User.get_current_employee()
        if not employee:
            raise AgendaFeedError(gettext(
                    'sale_opportunity_management.msg_agenda_feed_employee'))
        return employee

    def default_start(self, fields):
        pool = Pool()
        Feed = pool.get('sale.agenda.feed')
        employee = self._get_employee()
        with without_check_access():
            feeds = Feed.search([('employee', '=', employee.id)])
        return {
            'employee': employee.id,
            'created': feeds[0].create_date if feeds else None,
            }

    def transition_renew(self):
        pool = Pool()
        Feed = pool.get('sale.agenda.feed')
        self.address.url = Feed.renew(self._get_employee())
        return 'address'

    def default_address(self, fields):
        return {'url': self.address.url}

    def transition_revoke(self):
        pool = Pool()
        Feed = pool.get('sale.agenda.feed')
        Feed.revoke(self._get_employee())
        return 'end'


class AgendaFeedAddressStart(ModelView):
    __name__ = 'sale.agenda.feed.address.start'

    employee = fields.Many2One(
        'company.employee', "Employee", readonly=True)
    created = fields.DateTime(
        "Created On", format='%H:%M', readonly=True,
        states={
            'invisible': ~Eval('created'),
            },
        help="Since when the current address is in use.")


class AgendaFeedAddressResult(ModelView):
    __name__ = 'sale.agenda.feed.address.result'

    url = fields.Char(
        "Address", readonly=True,
        help="The address to subscribe to in other calendars.")
