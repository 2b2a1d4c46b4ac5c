# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt
from collections import Counter, defaultdict

from sql import Column, Literal
from sql.aggregate import Count
from sql.conditionals import Coalesce
from sql.operators import Concat

from trytond.i18n import gettext
from trytond.model import Index, ModelSQL, ModelView, fields
from trytond.pool import Pool
from trytond.pyson import Eval, If
from trytond.tools import grouped_slice
from trytond.transaction import (
    Transaction, inactive_records, without_check_access)

from ..access import readable
from ..moment import now
from .exceptions import MergeError

_in = fields.SQL_OPERATORS['in']


class MergeLog(ModelSQL, ModelView):
    __name__ = 'party.merge.log'

    company = fields.Many2One(
        'company.company', "Company", readonly=True, ondelete='CASCADE')
    survivor = fields.Many2One(
        'party.party', "Party That Stayed", required=True, readonly=True,
        ondelete='CASCADE',
        context={
            'company': Eval('company', -1),
            },
        depends={'company'},
        help="The party that got what the other had.")
    merged = fields.Many2One(
        'party.party', "Merged Party", required=True, readonly=True,
        ondelete='CASCADE',
        context={
            'company': Eval('company', -1),
            },
        depends={'company'})
    date = fields.DateTime("Date", required=True, readonly=True)
    user = fields.Many2One(
        'res.user', "User", readonly=True, ondelete='SET NULL',
        help="Who merged the parties.")
    number = fields.Function(
        fields.Integer(
            "Records", help="How many records the party that stayed got."),
        'get_number')
    lines = fields.One2Many(
        'party.merge.log.line', 'log', "Records", readonly=True)
    state = fields.Selection([
            ('merged', "Merged"),
            ('undone', "Undone"),
            ], "State", required=True, readonly=True, sort=False)
    kept = fields.Text(
        "Not Brought Back", readonly=True,
        states={
            'invisible': ~Eval('kept'),
            },
        help="What stayed with the other party when the merge was undone "
        "and why.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_indexes.update({
                Index(t, (t.survivor, Index.Range())),
                Index(t, (t.merged, Index.Range())),
                Index(
                    t,
                    (t.state, Index.Equality(cardinality='low')),
                    (t.date, Index.Range(order='DESC')),
                    (t.id, Index.Range(order='DESC'))),
                })
        cls._order = [('date', 'DESC'), ('id', 'DESC')]
        cls._buttons.update({
                'undo': {
                    'invisible': Eval('state') != 'merged',
                    'depends': ['state'],
                    },
                })

    @classmethod
    def default_state(cls):
        return 'merged'

    @classmethod
    def get_number(cls, logs, name):
        pool = Pool()
        Line = pool.get('party.merge.log.line')
        cursor = Transaction().connection.cursor()
        numbers = {log.id: 0 for log in logs}
        line = Line.__table__()
        cursor.execute(*line.select(
                line.log, Count(line.id),
                where=_in(line.log, list(numbers)), group_by=[line.log]))
        numbers.update(cursor)
        return numbers

    def get_rec_name(self, name):
        return f'{self.merged.rec_name} - {self.survivor.rec_name}'

    @classmethod
    def search_rec_name(cls, name, clause):
        _, operator, *extra = clause
        if operator.startswith('!') or operator.startswith('not '):
            bool_op = 'AND'
        else:
            bool_op = 'OR'
        return [bool_op,
            ('merged.rec_name', operator, *extra),
            ('survivor.rec_name', operator, *extra),
            ]

    @classmethod
    def view_attributes(cls):
        return super().view_attributes() + [
            ('/tree', 'visual', If(Eval('state') != 'merged', 'muted', '')),
            ]

    @classmethod
    @without_check_access
    def begin(cls, source, destination, replaced):
        """Log what the source has before it is merged and return the log

        replaced is the list of the names of models and fields that link to
        it."""
        pool = Pool()
        Line = pool.get('party.merge.log.line')
        transaction = Transaction()
        cursor = transaction.connection.cursor()
        log, = cls.create([{
                    'company': transaction.context.get('company'),
                    'survivor': destination.id,
                    'merged': source.id,
                    'user': transaction.user or None,
                    'date': _next_second(),
                    }])
        line = Line.__table__()
        for model, name in replaced:
            Model = pool.get(model)
            table = Model.__table__()
            active = Model._fields.get('active')
            if active and not isinstance(active, fields.Function):
                active = table.active
            else:
                active = Literal(None)
            id_ = Line.name.sql_cast(table.id)
            cursor.execute(*line.insert(
                    [line.log, line.record, line.name, line.was_active],
                    table.select(
                        Literal(log.id), Concat(f'{model},', id_),
                        Literal(name), active,
                        where=Column(table, name) == _get_value(
                            Model, name, source))))
        return log

    @without_check_access
    def end(self):
        "Log that the parties are merged from now on"
        self.date = _next_second()
        self.save()

    @classmethod
    @ModelView.button
    @without_check_access
    def undo(cls, logs):
        """Bring back what was merged and is still as the merge left it

        It does nothing to what was undone already."""
        cls.lock(logs)
        for log in cls.browse(logs):
            if log.state == 'merged':
                log._undo()

    def _undo(self):
        pool = Pool()
        Duplicate = pool.get('party.duplicate')
        Party = pool.get('party.party')
        Party.lock([self.merged, self.survivor])
        if self.survivor.replaced_by:
            raise MergeError(gettext(
                    'sale_opportunity_management.msg_merge_log_chain',
                    survivor=self.survivor.rec_name,
                    other=self.survivor.replaced_by.rec_name))
        if self.merged.replaced_by != self.survivor:
            raise MergeError(gettext(
                    'sale_opportunity_management.msg_merge_log_active',
                    merged=self.merged.rec_name))
        self.merged.replaced_by = None
        self.merged.active = True
        self.merged.save()
        kept = []
        for (Model, name), lines in self._get_lines().items():
            if reasons := self._bring_back(Model, name, lines):
                names = Model.__names__(name)
                kept.extend(
                    gettext(
                        f'sale_opportunity_management.msg_merge_log_{reason}',
                        number=number, **names)
                    for reason, number in sorted(reasons.items()))
        Duplicate.part(self.merged, self.survivor)
        self.state = 'undone'
        self.kept = '\n'.join(kept) or None
        self.save()

    def _get_lines(self):
        "Return if each record was active by model and field and its id"
        pool = Pool()
        Line = pool.get('party.merge.log.line')
        cursor = Transaction().connection.cursor()
        line = Line.__table__()
        cursor.execute(*line.select(
                line.record, line.name, line.was_active,
                where=line.log == self.id, order_by=[line.id]))
        lines = defaultdict(dict)
        for record, name, active in cursor:
            model, id_ = record.split(',')
            lines[pool.get(model), name][int(id_)] = (
                None if active is None else bool(active))
        return lines

    def _bring_back(self, Model, name, lines):
        """Let the records of the lines be of the merged party again

        Return how many are not by reason."""
        cursor = Transaction().connection.cursor()
        table = Model.__table__()
        column = Column(table, name)
        survivor = _get_value(Model, name, self.survivor)
        kept = Counter()
        for ids in grouped_slice(list(lines), 500):
            ids = list(ids)
            cursor.execute(*table.select(
                    table.id, column,
                    Coalesce(table.write_date, table.create_date),
                    where=_in(table.id, ids)))
            found = {id_: values for id_, *values in cursor}
            kept['deleted'] += len(ids) - len(found)
            back = []
            for id_, (value, date) in found.items():
                if value != survivor:
                    kept['other'] += 1
                elif date and _to_datetime(date) > self.date:
                    kept['changed'] += 1
                else:
                    back.append(id_)
            for active in [True, False, None]:
                self._move(
                    Model, name, [i for i in back if lines[i] is active],
                    active)
        return +kept

    def _move(self, Model, name, ids, active):
        if not ids:
            return
        cursor = Transaction().connection.cursor()
        table = Model.__table__()
        columns = [Column(table, name)]
        values = [_get_value(Model, name, self.merged)]
        names = {name}
        if active is not None:
            columns.append(table.active)
            values.append(active)
            names.add('active')
        cursor.execute(*table.update(
                columns, values, where=_in(table.id, ids)))
        Model._insert_history(ids)
        Model.on_modification('write', Model.browse(ids), names)


class MergeLogLine(ModelSQL, ModelView):
    __name__ = 'party.merge.log.line'

    log = fields.Many2One(
        'party.merge.log', "Log", required=True, readonly=True,
        ondelete='CASCADE')
    record = fields.Reference(
        "Record", selection='get_models', readonly=True)
    name = fields.Char("Name", readonly=True)
    # Whoever may not read one of the models does not get the reference
    record_name = fields.Function(fields.Char("Record"), 'get_strings')
    model_string = fields.Function(fields.Char("Records"), 'get_strings')
    field_string = fields.Function(fields.Char("As"), 'get_strings')
    was_active = fields.Boolean(
        "Was Active", readonly=True,
        help="If the record was active before the merge.")

    @classmethod
    def get_models(cls):
        pool = Pool()
        Model = pool.get('ir.model')
        Replace = pool.get('party.replace', type='wizard')
        return [
            (m, Model.get_name(m))
            for m in sorted({m for m, _ in Replace.fields_to_replace()})]

    @classmethod
    def get_strings(cls, lines, names):
        pool = Pool()
        cursor = Transaction().connection.cursor()
        table = cls.__table__()
        by_model = defaultdict(list)
        # The reference tells nothing of what is not there any more
        cursor.execute(*table.select(
                table.id, table.record, table.name,
                where=_in(table.id, [line.id for line in lines])))
        for line_id, record, name in cursor.fetchall():
            model, id_ = record.split(',')
            by_model[pool.get(model)].append((line_id, int(id_), name))
        strings = {
            'record_name': {}, 'model_string': {}, 'field_string': {}}
        for Model, values in by_model.items():
            allowed = readable(Model, [id_ for _, id_, _ in values])
            with inactive_records():
                records = {r.id: r.rec_name for r in Model.search([
                            ('id', 'in', list(allowed))])}
            for line_id, id_, name in values:
                labels = Model.__names__(name)
                strings['record_name'][line_id] = records.get(id_)
                strings['model_string'][line_id] = labels['model']
                strings['field_string'][line_id] = labels['field']
        return {name: strings[name] for name in names}


def _next_second():
    # What was written before has a fraction of it
    return now() + dt.timedelta(seconds=1)


def _to_datetime(value):
    "Return what SQLite stores as a text"
    if isinstance(value, str):
        value = dt.datetime.fromisoformat(value)
    return value


def _get_value(Model, name, party):
    "Return the value of the column of the field that links to the party"
    return str(party) if Model._fields[name]._type == 'reference' else party.id
