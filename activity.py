# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt

from trytond.i18n import gettext
from trytond.model import Index, ModelSQL, ModelView, Workflow, fields
from trytond.model.exceptions import AccessError
from trytond.modules.company.model import employee_field, set_employee
from trytond.pool import Pool
from trytond.pyson import Bool, Eval, Id, If
from trytond.tools import timezone as tz
from trytond.transaction import Transaction

from .exceptions import ClosedTrackingError, DoneDateError, PlannedDateError


def now():
    "Return the current moment as it is stored: naive, in UTC, to the second"
    return (dt.datetime.now(dt.timezone.utc)
        .replace(tzinfo=None, microsecond=0))


def this_minute():
    "Return the current moment as activities store it: without seconds"
    return now().replace(second=0)


def company_timezone(company):
    "Return the time zone in which the company reads its dates"
    if company and company.timezone:
        return tz.ZoneInfo(company.timezone)
    return tz.UTC


def to_local(company, datetime):
    "Convert a stored moment to the time zone of the company"
    return (datetime
        .replace(tzinfo=dt.timezone.utc)
        .astimezone(company_timezone(company)))


def to_utc(company, datetime):
    "Convert a moment in the time zone of the company to what is stored"
    return (datetime
        .replace(tzinfo=company_timezone(company))
        .astimezone(dt.timezone.utc)
        .replace(tzinfo=None))


def days_since(company, datetime):
    "Return how many days of the company passed since the moment"
    return (
        to_local(company, now()).date()
        - to_local(company, datetime).date()).days


class ActivityMixin(Workflow, ModelSQL, ModelView):

    # What was done is a fact: only an administrator corrects it
    _facts_states = {
        'readonly': (
            (Eval('state') == 'cancelled')
            | ((Eval('state') == 'done')
                & ~Id('sale_opportunity_management', 'group_tracking_admin')
                .in_(Eval('context', {}).get('groups', [])))),
        }

    company = fields.Many2One(
        'company.company', "Company", required=True,
        states={
            'readonly': Bool(Eval('tracking')),
            })
    tracking = fields.Many2One(
        'sale.tracking', "Tracking", required=True, ondelete='CASCADE',
        domain=[
            ('company', '=', Eval('company', -1)),
            ],
        states={
            'readonly': Eval('id', -1) >= 0,
            })
    party = fields.Function(
        fields.Many2One(
            'party.party', "Customer",
            context={
                'company': Eval('company', -1),
                },
            depends={'company'}),
        'on_change_with_party', searcher='search_tracking')
    business_unit = fields.Function(
        fields.Many2One('sale.business_unit', "Business Unit"),
        'on_change_with_business_unit', searcher='search_tracking')
    channel = fields.Function(
        fields.Many2One('sale.channel', "Channel"),
        'on_change_with_channel', searcher='search_tracking')
    summary = fields.Char(
        "Summary", states=_facts_states,
        help="What the activity is for.")
    description = fields.Text(
        "Description", states=_facts_states,
        help="What was said or done.")
    planned_date = fields.DateTime(
        "Planned Date", format='%H:%M',
        states={
            'readonly': Eval('state') != 'pending',
            'required': Eval('state') == 'pending',
            },
        help="When the activity has to be done.")
    done_date = fields.DateTime(
        "Done Date", format='%H:%M',
        states={
            'readonly': _facts_states['readonly'],
            'invisible': Eval('state') != 'done',
            'required': Eval('state') == 'done',
            },
        help="When the activity was really done.")
    date = fields.DateTime(
        "Date", format='%H:%M', readonly=True,
        help="When the activity was done or, until then, is planned.")
    overdue = fields.Function(
        fields.Boolean("Overdue"), 'get_overdue', searcher='search_overdue')
    assignee = fields.Many2One(
        'company.employee', "Assignee",
        domain=[
            ('company', '=', Eval('company', -1)),
            ],
        states={
            'readonly': Eval('state') != 'pending',
            },
        help="The employee who has to do it.")
    done_by = fields.Many2One(
        'company.employee', "Done By",
        domain=[
            ('company', '=', Eval('company', -1)),
            ],
        states={
            'readonly': _facts_states['readonly'],
            'invisible': Eval('state') != 'done',
            },
        help="The employee who really did it.")
    cancelled_by = employee_field(
        "Cancelled By", states=['pending', 'done', 'cancelled'])
    state = fields.Selection([
            ('pending', "Pending"),
            ('done', "Done"),
            ('cancelled', "Cancelled"),
            ], "State", required=True, readonly=True, sort=False)

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_indexes.update({
                Index(
                    t,
                    (t.tracking, Index.Equality()),
                    (t.date, Index.Range(order='DESC'))),
                Index(
                    t,
                    (t.assignee, Index.Equality()),
                    (t.date, Index.Range()),
                    where=t.state == 'pending'),
                Index(
                    t,
                    (t.company, Index.Equality(cardinality='low')),
                    (t.date, Index.Range(order='DESC'))),
                Index(
                    t,
                    (t.done_by, Index.Equality()),
                    (t.date, Index.Range(order='DESC')),
                    where=t.state == 'done'),
                })
        cls._order = [('date', 'DESC'), ('id', 'DESC')]
        cls._transitions |= {
            ('pending', 'done'),
            ('pending', 'cancelled'),
            }
        cls._buttons.update({
                'cancel': {
                    'invisible': Eval('state') != 'pending',
                    'depends': ['state'],
                    },
                })

    @classmethod
    def default_company(cls):
        return Transaction().context.get('company')

    @classmethod
    def default_state(cls):
        return 'pending'

    @fields.depends(
        'tracking', '_parent_tracking.company', '_parent_tracking.operator')
    def on_change_tracking(self):
        if self.tracking:
            self.company = self.tracking.company
            self.assignee = self.tracking.operator

    @fields.depends('tracking', '_parent_tracking.party')
    def on_change_with_party(self, name=None):
        return self.tracking.party if self.tracking else None

    @fields.depends('tracking', '_parent_tracking.business_unit')
    def on_change_with_business_unit(self, name=None):
        return self.tracking.business_unit if self.tracking else None

    @fields.depends('tracking', '_parent_tracking.channel')
    def on_change_with_channel(self, name=None):
        return self.tracking.channel if self.tracking else None

    @classmethod
    def search_tracking(cls, name, clause):
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        query = Tracking.search([tuple(clause)], order=[], query=True)
        t = cls.__table__()
        return [('id', 'in', t.select(t.id, where=t.tracking.in_(query)))]

    @classmethod
    def get_overdue(cls, activities, name):
        moment = now()
        return {
            a.id: a.state == 'pending' and a.date < moment
            for a in activities}

    @classmethod
    def search_overdue(cls, name, clause):
        _, operator, value = clause
        if operator in {'=', '!='}:
            if bool(value) == (operator == '='):
                return [('state', '=', 'pending'), ('date', '<', now())]
            else:
                return ['OR',
                    ('state', '!=', 'pending'),
                    ('date', '>=', now()),
                    ]
        return []

    def get_rec_name(self, name):
        date = self._format_date(self.date)
        return f'{date} {self.tracking.rec_name}'

    @classmethod
    def search_rec_name(cls, name, clause):
        return cls.search_tracking(name, clause)

    @property
    def text(self):
        "What the activity is about, in one line"
        return ' - '.join(
            ' '.join(t.split()) for t in self._texts() if t)

    def _texts(self):
        return [self.summary, self.description]

    @classmethod
    def view_attributes(cls):
        return super().view_attributes() + [
            ('/tree', 'visual',
                If(Eval('state') == 'cancelled', 'muted',
                    If(Eval('overdue', False), 'danger', ''))),
            ]

    @classmethod
    def preprocess_values(cls, mode, values):
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        values = super().preprocess_values(mode, values)
        # The clients show no seconds: a hidden one would count as a change
        for name in ['planned_date', 'done_date']:
            if values.get(name):
                values[name] = values[name].replace(second=0, microsecond=0)
        if mode == 'create':
            # So that no second write computes it
            values['date'] = (
                values.get('done_date') or values.get('planned_date'))
        if mode == 'create' and values.get('tracking'):
            tracking = Tracking(values['tracking'])
            values.setdefault('company', tracking.company.id)
            if not values.get('assignee') and tracking.operator:
                values['assignee'] = tracking.operator.id
        return values

    def compute_fields(self, field_names=None):
        values = super().compute_fields(field_names=field_names)
        if (field_names is None
                or {'planned_date', 'done_date'} & field_names):
            date = self.done_date or self.planned_date
            if getattr(self, 'date', None) != date:
                values['date'] = date
        return values

    @classmethod
    def validate_fields(cls, activities, field_names):
        super().validate_fields(activities, field_names)
        cls.check_dates(activities, field_names)
        cls.check_tracking_open(activities, field_names)

    @classmethod
    def check_dates(cls, activities, field_names=None):
        minute = this_minute()
        for activity in activities:
            if ((field_names is None or 'planned_date' in field_names)
                    and activity.state == 'pending'
                    and activity.planned_date < minute):
                raise PlannedDateError(gettext(
                        'sale_opportunity_management.msg_planned_date_past',
                        date=activity._format_date(activity.planned_date),
                        customer=activity.tracking.party.rec_name))
            if ((field_names is None or 'done_date' in field_names)
                    and activity.done_date
                    and activity.done_date > minute):
                raise DoneDateError(gettext(
                        'sale_opportunity_management.msg_done_date_future',
                        date=activity._format_date(activity.done_date),
                        customer=activity.tracking.party.rec_name))

    @classmethod
    def check_tracking_open(cls, activities, field_names=None):
        if field_names is not None and 'state' not in field_names:
            return
        for activity in activities:
            if (activity.state == 'pending'
                    and activity.tracking.state == 'closed'):
                raise ClosedTrackingError(gettext(
                        'sale_opportunity_management.msg_tracking_closed',
                        tracking=activity.tracking.rec_name))

    def _format_date(self, date):
        pool = Pool()
        Lang = pool.get('ir.lang')
        lang = Lang.get()
        return lang.strftime(
            to_local(self.company, date), f'{lang.date} %H:%M')

    @classmethod
    def _facts(cls):
        "The fields that say what was done"
        return {
            'tracking', 'summary', 'description', 'planned_date', 'done_date',
            'done_by', 'state'}

    @classmethod
    def check_modification(
            cls, mode, activities, values=None, external=False):
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        super().check_modification(
            mode, activities, values=values, external=external)
        if mode == 'write':
            if (external
                    and values.keys() & cls._facts()
                    and not Tracking.is_administrator()):
                for activity in activities:
                    if activity.state == 'done':
                        raise AccessError(gettext(
                                'sale_opportunity_management'
                                '.msg_activity_done_modify',
                                activity=activity.rec_name))
            if 'tracking' in values:
                for activity in activities:
                    if activity.tracking.id != values['tracking']:
                        raise AccessError(gettext(
                                'sale_opportunity_management'
                                '.msg_activity_change_tracking',
                                activity=activity.rec_name))
        elif mode == 'delete':
            for activity in activities:
                if activity.state == 'done':
                    raise AccessError(gettext(
                            'sale_opportunity_management'
                            '.msg_activity_done_delete',
                            activity=activity.rec_name))

    @classmethod
    def on_modification(cls, mode, activities, field_names=None):
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        super().on_modification(mode, activities, field_names=field_names)
        if mode in {'create', 'write'}:
            if (field_names is None
                    or field_names & cls._tracking_fields()):
                Tracking.update_activities({a.tracking for a in activities})

    @classmethod
    def on_delete(cls, activities):
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        callbacks = super().on_delete(activities)
        trackings = {a.tracking.id for a in activities}

        def update():
            # The trackings may be deleted together with their activities
            Tracking.update_activities(Tracking.search([
                        ('id', 'in', list(trackings)),
                        ]))
        callbacks.append(update)
        return callbacks

    @classmethod
    def _tracking_fields(cls):
        "The fields that the tracking keeps a summary of"
        return {'date', 'planned_date', 'done_date', 'state'}

    @classmethod
    def copy(cls, activities, default=None):
        default = default.copy() if default is not None else {}
        default.setdefault('description')
        default.setdefault('done_date')
        default.setdefault('done_by')
        default.setdefault('cancelled_by')
        # A copy is planned anew: the moment of the original may be over
        tomorrow = now() + dt.timedelta(days=1)
        default.setdefault(
            'planned_date', lambda o: max(o['date'], tomorrow))
        return super().copy(activities, default=default)

    @classmethod
    @Workflow.transition('done')
    @set_employee('done_by')
    def do(cls, activities):
        cls.write([a for a in activities if not a.done_date], {
                'done_date': this_minute(),
                })

    @classmethod
    @ModelView.button
    @Workflow.transition('cancelled')
    @set_employee('cancelled_by')
    def cancel(cls, activities):
        pass
