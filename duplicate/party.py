# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

from trytond.model import Index, fields
from trytond.pool import Pool, PoolMeta

from ..party import PHONE_TYPES, normalize_name


def sort_name(name):
    "Return the words that tell which party it is, in their order"
    return ' '.join(sorted(normalize_name(name).split()))


class Party(metaclass=PoolMeta):
    __name__ = 'party.party'

    name_key = fields.Char(
        "Name Key", readonly=True,
        help="The words of the name as it is compared with others.")

    @classmethod
    def __setup__(cls):
        cls.name_key.search_unaccented = False
        super().__setup__()
        t = cls.__table__()
        cls._sql_indexes.add(
            Index(t, (t.name_key, Index.Equality(cardinality='high'))))

    @classmethod
    def _name_forms(cls):
        return {**super()._name_forms(), 'name_key': sort_name}

    @classmethod
    def on_modification(cls, mode, parties, field_names=None):
        pool = Pool()
        Duplicate = pool.get('party.duplicate')
        super().on_modification(mode, parties, field_names=field_names)
        if mode == 'write' and 'active' in field_names:
            if inactive := [p for p in parties if not p.active]:
                Duplicate.forget(inactive)

    def get_duplicate_details(self):
        "Return what the party is compared by"
        mechanisms = [
            m.value for types in [PHONE_TYPES, ['email']]
            for m in self.contact_mechanisms if m.type in types]
        return '\n'.join(filter(None, [
                    *(i.rec_name for i in self.identifiers),
                    *(' '.join(a.full_address.split('\n'))
                        for a in self.addresses),
                    *mechanisms,
                    ]))


class ContactImport(metaclass=PoolMeta):
    __name__ = 'party.contact.import'

    @classmethod
    def undo_ignored(cls):
        return super().undo_ignored() | {'party.duplicate'}


class Replace(metaclass=PoolMeta):
    __name__ = 'party.replace'

    def transition_replace(self):
        pool = Pool()
        Duplicate = pool.get('party.duplicate')
        Log = pool.get('party.merge.log')
        source, destination = self.ask.source, self.ask.destination
        # Before they are forgotten with the source
        Duplicate.replace(source, destination)
        log = Log.begin(source, destination, self.fields_to_replace())
        result = super().transition_replace()
        log.end()
        return result
