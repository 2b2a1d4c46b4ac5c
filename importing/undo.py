# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import json
from collections import defaultdict

from sql import Null

from trytond import backend
from trytond.exceptions import UserError
from trytond.model import Model, ModelSQL, ValueMixin, fields
from trytond.pool import Pool
from trytond.transaction import Transaction

from ..savepoint import savepoint

_in = fields.SQL_OPERATORS['in']
# A record comes before those that it is deleted with
_ORDER = [
    'sale.tracking', 'party.typification', 'party.contact_mechanism',
    'party.contact', 'party.identifier', 'party.address', 'party.party']


class Undo:
    """Undo what rows of an import have made

    What was used since is kept."""

    def __init__(self, rows):
        self.rows = rows
        self.created = defaultdict(dict)
        self.changes = defaultdict(list)
        for row in rows:
            for model, id_, *values in json.loads(row.records):
                if values:
                    self.changes[row].append((model, id_, values[0]))
                else:
                    self.created[model][id_] = row

    def run(self):
        "Return the reasons by row for which something was kept"
        self.kept = defaultdict(set)
        self._find_changed()
        self._find_used()
        self._delete([r for r in self.rows if r not in self.kept])
        return {r: ', '.join(sorted(k)) for r, k in self.kept.items()}

    def _find_changed(self):
        pool = Pool()
        cursor = Transaction().connection.cursor()
        for model, rows in self.created.items():
            Target = pool.get(model)
            table = Target.__table__()
            cursor.execute(*table.select(
                    table.id,
                    where=_in(table.id, list(rows))
                    & (table.write_date != Null)))
            for id_, in cursor:
                self._keep(rows[id_], Target)

    def _find_used(self):
        pool = Pool()
        ContactImport = pool.get('party.contact.import')
        ignored = ContactImport.undo_ignored()
        cursor = Transaction().connection.cursor()
        for name, User in pool.iterobject():
            if (not issubclass(User, ModelSQL)
                    or issubclass(User, ValueMixin)
                    or name in ignored
                    or User._is_table_query()):
                continue
            table = User.__table__()
            own = self.created.get(name, {})
            for field_name, field in User._fields.items():
                if isinstance(field, fields.Many2One):
                    targets = [field.model_name]
                elif isinstance(field, fields.Reference):
                    targets = list(self.created)
                else:
                    continue
                for target in targets:
                    if not (rows := self.created.get(target)):
                        continue
                    column = getattr(table, field_name)
                    values = {
                        id_ if isinstance(field, fields.Many2One)
                        else f'{target},{id_}': row
                        for id_, row in rows.items()}
                    cursor.execute(*table.select(
                            table.id, column,
                            where=_in(column, list(values))))
                    for id_, value in cursor:
                        if id_ not in own:
                            self._keep(values[value], User)

    def _keep(self, row, User):
        self.kept[row].add(User.__names__()['model'])

    def _delete(self, rows):
        "Delete what the rows created, what is refused by halving them"
        if not rows:
            return
        try:
            with savepoint():
                self._delete_records(rows)
                self._set_back(rows)
        except (UserError, backend.DatabaseIntegrityError) as e:
            if len(rows) == 1:
                self.kept[rows[0]].add(str(getattr(e, 'message', e)))
                return
            middle = len(rows) // 2
            self._delete(rows[:middle])
            self._delete(rows[middle:])

    def _delete_records(self, rows):
        pool = Pool()
        rows = set(rows)
        for model in _ORDER:
            Target = pool.get(model)
            Target.delete(Target.browse([
                        i for i, r in self.created[model].items()
                        if r in rows]))

    def _set_back(self, rows):
        pool = Pool()
        for row in rows:
            for model, id_, values in self.changes[row]:
                Target = pool.get(model)
                for record in Target.search([('id', '=', id_)]):
                    # Later changes are not of the import
                    back = {
                        n: None for n, v in values.items()
                        if _get_value(record, n) == v}
                    if back:
                        Target.write([record], back)


def _get_value(record, name):
    value = getattr(record, name)
    return value.id if isinstance(value, Model) else value
