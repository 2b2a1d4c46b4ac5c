# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import datetime as dt
import unittest
from unittest.mock import patch

from trytond.model.exceptions import AccessError
from trytond.modules.company.tests import create_employee, set_company
from trytond.modules.sale_opportunity_management.duplicate.exceptions import (
    MergeError)
from trytond.modules.sale_opportunity_management.duplicate.finder import (
    LIMIT, Finder)
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import TrackingTestMixin


class DuplicateTestCase(TrackingTestMixin, unittest.TestCase):
    "Test finding and merging the parties that are there twice"

    def create_party(
            self, name=None, city=None, phone=None, email=None, code=None,
            type=None):
        pool = Pool()
        Party = pool.get('party.party')
        party, = Party.create([{
                    'name': name,
                    'addresses': [
                        ('create', [{'city': city}] if city else [])],
                    'contact_mechanisms': [('create', [
                                {'type': t, 'value': v}
                                for t, v in [
                                    ('phone', phone), ('email', email)]
                                if v])],
                    'identifiers': [('create', [
                                {'type': type, 'code': c}
                                for c in [code] if c])],
                    }])
        return party

    def find(self, parties):
        "Return the matches by pair of positions in the parties"
        ids = [p.id for p in parties]
        return {
            tuple(ids.index(i) for i in pair): matches
            for pair, (matches, _) in Finder(ids).run().items()
            if set(pair) <= set(ids)}

    def set_up(self):
        pool = Pool()
        Party = pool.get('party.party')
        self.company = self.create_company()
        self.parties = [
            self.create_party("Óptica Luz SAS", phone='+57 310 555 1234'),
            self.create_party("Optica Luz", phone='+57 310 555 1234'),
            self.create_party("Optica  Luz S.A.S.", email='luz@example.com'),
            ]
        self.ids = [p.id for p in self.parties]
        return Party

    def search(self, **values):
        pool = Pool()
        Duplicate = pool.get('party.duplicate')
        return {
            (self.ids.index(d.party.id), self.ids.index(d.other.id)): d
            for d in Duplicate.search([
                    ('company', '=', self.company.id),
                    ('party', 'in', self.ids),
                    ('other', 'in', self.ids),
                    ])
            if all(getattr(d, n) == v for n, v in values.items())}

    def search_duplicates(self):
        pool = Pool()
        Duplicate = pool.get('party.duplicate')
        with set_company(self.company):
            Duplicate.find(self.ids)
        return self.search()

    def merge(self, model, records, survivor=None, left_out=()):
        "Return the wizard and its next state"
        pool = Pool()
        Merge = pool.get('party.merge', type='wizard')
        Line = pool.get('party.merge.line')
        with Transaction().set_context(
                active_model=model, active_id=records[0].id,
                active_ids=[r.id for r in records]):
            session_id, _, _ = Merge.create()
            merge = Merge(session_id)
            values = merge.default_ask([])
            merge.ask.survivor = survivor or values['survivor']
            merge.ask.lines = [
                Line(party=line['party'], merge=line['party'] not in left_out)
                for line in values['lines']]
            return merge, merge.transition_merge()

    @with_transaction()
    def test_blocks(self):
        "Test what makes a pair of parties"
        self.create_company()
        for first, second, matches in [
                ({'phone': '+57 310 555 1234'}, {'phone': '+573105551234'},
                    {'phone'}),
                ({'email': 'Ana@example.com'}, {'email': 'ana@example.com'},
                    {'email'}),
                ({'code': '123.456'}, {'code': '123.456'}, {'identifier'}),
                ({'name': "Óptica Luz SAS"}, {'name': "luz optica"},
                    {'name'}),
                ({'name': "Óptica Luz", 'city': "Bogotá"},
                    {'name': "Optica Luz SAS", 'city': "BOGOTA D.C."},
                    {'name'}),
                ({'name': "Óptica Luz", 'city': "Bogotá"},
                    {'name': "Óptica Luz", 'city': "Cali"}, None),
                ({'name': "Optica Lux", 'email': 'ana@example.com'},
                    {'name': "Optica Luz", 'email': 'ana@example.com'},
                    {'name', 'email'}),
                ({'email': 'notiene@notiene.com'},
                    {'email': 'notiene@notiene.com'}, None),
                ({'phone': '+57 300 000 0000'}, {'phone': '+57 300 000 0000'},
                    None),
                ({'code': '00000000'}, {'code': '00000000'}, None),
                ({
                        'name': "Óptica Luz", 'type': 'es_vat',
                        'code': 'ESB58378431',
                        }, {
                        'name': "Óptica Luz", 'type': 'es_vat',
                        'code': 'ESA13585625',
                        }, None),
                ({'name': "Luz"}, {'name': "Luz"}, None),
                ]:
            with self.subTest(first=first, second=second):
                parties = [
                    self.create_party(**{'name': n, **values})
                    for n, values in [("First", first), ("Another", second)]]
                self.assertEqual(
                    self.find(parties), {(0, 1): matches} if matches else {})
                for party in parties:
                    party.active = False
                    party.save()
                self.assertEqual(self.find(parties), {})

    @with_transaction()
    def test_similar_names(self):
        "Test that similar names make a pair within a city"
        if not Transaction().database.has_similarity():
            self.skipTest("The database compares no names")
        pool = Pool()
        Duplicate = pool.get('party.duplicate')
        self.company = self.create_company()
        parties = [
            self.create_party(name, city=city) for name, city in [
                ("Inversiones Camposanto", "Bogotá"),
                ("Inversiones Campo Santo", "bogota d.c."),
                ("Inversiones Camposanto", "Cali"),
                ]]
        self.assertEqual(self.find(parties), {(0, 1): {'name'}})
        # They are found by the one that changed and are kept
        with set_company(self.company):
            tomorrow = dt.datetime.now() + dt.timedelta(days=1)
            self.ids = [p.id for p in parties]
            Duplicate.find(self.ids, since=tomorrow.isoformat())
            self.assertFalse(self.search())
            Duplicate.find(self.ids[1:])
            self.assertEqual(self.search().keys(), {(0, 1)})
            Duplicate.find(self.ids, since=tomorrow.isoformat())
            self.assertEqual(self.search().keys(), {(0, 1)})
            parties[1].name = "Something Else"
            parties[1].save()
            Duplicate.find(self.ids, since=tomorrow.isoformat())
            self.assertFalse(self.search())

    @with_transaction()
    def test_switchboard(self):
        "Test that what many have in common makes no pairs"
        self.create_company()
        parties = [
            self.create_party(chr(65 + i) * 6, phone='+57 310 555 1234')
            for i in range(LIMIT + 1)]
        self.assertEqual(self.find(parties), {})
        self.assertEqual(
            len(self.find(parties[1:])), 0)
        parties[0].active = False
        parties[0].save()
        self.assertEqual(len(self.find(parties)), LIMIT * (LIMIT - 1) / 2)

    @with_transaction()
    def test_find(self):
        "Test that pairs are kept, rated, forgotten and not raised again"
        pool = Pool()
        Duplicate = pool.get('party.duplicate')
        ContactMechanism = pool.get('party.contact_mechanism')
        Party = self.set_up()
        pairs = self.search_duplicates()
        self.assertEqual(pairs.keys(), {(0, 1), (0, 2), (1, 2)})
        self.assertEqual(set(pairs[0, 1].matches), {'name', 'phone'})
        self.assertEqual(
            pairs[0, 1].reasons,
            "Same phone: +57 310 5551234\nSimilar name")
        self.assertGreater(pairs[0, 1].score, pairs[0, 2].score)
        self.assertIn("+57 310", pairs[0, 1].party_details)
        # Once for each company and as often as one likes
        self.assertEqual(self.search_duplicates(), pairs)
        Duplicate.dismiss([pairs[0, 1]])
        self.search_duplicates()
        self.assertEqual(self.search(state='not_duplicate').keys(), {(0, 1)})
        # What changed is found again
        Party.write([self.parties[2]], {'name': "Something Else"})
        self.assertEqual(self.search_duplicates().keys(), {(0, 1)})
        ContactMechanism.create([{
                    'party': self.ids[2],
                    'type': 'phone',
                    'value': '+573105551234',
                    }])
        self.assertEqual(
            self.search_duplicates().keys(), {(0, 1), (0, 2), (1, 2)})
        Party.write([self.parties[2]], {'active': False})
        self.assertEqual(self.search().keys(), {(0, 1)})
        Duplicate.review(list(self.search().values()))
        self.assertEqual(self.search(state='to_review').keys(), {(0, 1)})

    @with_transaction()
    def test_replace(self):
        "Test that pairs follow the parties that are merged"
        pool = Pool()
        Duplicate = pool.get('party.duplicate')
        Party = self.set_up()
        other = self.create_party("Optica Luz")
        self.parties.append(other)
        self.ids.append(other.id)
        pairs = self.search_duplicates()
        self.assertEqual(len(pairs), 6)
        Duplicate.dismiss([pairs[0, 2]])
        Duplicate.delete([pairs[1, 3]])
        _, state = self.merge(
            'party.party', Party.browse(self.ids[:2]),
            survivor=self.parties[1])
        self.assertEqual(state, 'end')
        self.assertEqual(
            {k: d.state for k, d in self.search().items()}, {
                (0, 1): 'merged',
                # What is not one of them is neither the other
                (1, 2): 'not_duplicate',
                # It was one with the source
                (1, 3): 'to_review',
                (2, 3): 'to_review',
                })
        self.search_duplicates()
        self.assertEqual(len(self.search(state='to_review')), 2)
        # It was not for good
        Party.write([self.parties[0]], {'active': True, 'replaced_by': None})
        pool.get('party.contact_mechanism').create([{
                    'party': self.ids[0],
                    'type': 'phone',
                    'value': '+573105551234',
                    }])
        self.assertEqual(
            self.search_duplicates()[0, 1].state, 'to_review')

    @with_transaction()
    def test_merge(self):
        "Test that many parties are merged into the one that was chosen"
        pool = Pool()
        Tracking = pool.get('sale.tracking')
        Party = self.set_up()
        with Transaction().set_context(_skip_warnings=True):
            for i in [0, 1, 1]:
                self.create_tracking(self.company, party=self.ids[i])
        pairs = self.search_duplicates()
        Merge = pool.get('party.merge', type='wizard')
        with Transaction().set_context(
                active_model='party.duplicate', active_id=pairs[0, 1].id,
                active_ids=[pairs[0, 1].id, pairs[1, 2].id]):
            values = Merge(Merge.create()[0]).default_ask([])
        self.assertEqual(values['survivor'], self.ids[1])
        self.assertEqual(values['parties'], self.ids)
        self.assertEqual(
            [line['number'] for line in values['lines']], [2, 3, 1])
        Ask = pool.get('party.merge.ask')
        Line = pool.get('party.merge.line')
        ask = Ask(
            survivor=self.ids[2],
            lines=[
                Line(party=i, merge=i != self.ids[0]) for i in self.ids])
        ask.on_change_survivor()
        self.assertEqual(
            {(m.party.id, m.model, m.number) for m in ask.moves}, {
                (self.ids[1], "Sale Tracking", 2),
                (self.ids[1], "Party Contact Mechanism", 1),
                })
        self.assertEqual(ask.on_change_with_parties(), self.ids[1:])
        _, state = self.merge(
            'party.duplicate', [pairs[0, 1], pairs[1, 2]],
            survivor=self.parties[2])
        # The trackings are of one business unit
        self.assertEqual(state, 'result')
        self.assertEqual(
            Tracking.search_count([('party', '=', self.ids[2])]), 3)
        self.assertEqual(
            Party.search([('id', 'in', self.ids)]), [Party(self.ids[2])])
        self.assertEqual(
            {m.value_compact for m in
                Party(self.ids[2]).contact_mechanisms},
            {'+573105551234', 'luz@example.com'})
        self.assertEqual(
            self.search(state='merged').keys(), {(0, 2), (1, 2)})

    @with_transaction()
    def test_merge_refused(self):
        "Test that what cannot be merged is named and the rest is merged"
        pool = Pool()
        Identifier = pool.get('party.identifier')
        Party = self.set_up()
        Identifier.create([
                {'party': id_, 'type': 'es_vat', 'code': code}
                for id_, code in [
                    (self.ids[0], 'ESB58378431'),
                    (self.ids[2], 'ESA13585625')]])
        parties = Party.browse(self.ids)
        for survivor, left_out in [
                (self.create_party("Other"), []),
                (parties[0], self.ids[1:]),
                (parties[0], self.ids[:1])]:
            with self.subTest(left_out=left_out), \
                    self.assertRaises(MergeError):
                self.merge('party.party', parties, survivor, left_out)
        merge, state = self.merge('party.party', parties, parties[0])
        self.assertEqual(state, 'result')
        result = merge.default_result([])
        self.assertEqual(result['merged'], 1)
        self.assertIn("Optica  Luz S.A.S.: ", result['refused'])
        self.assertIn('ESA13585625', result['refused'])
        self.assertEqual(
            Party.search(
                [('id', 'in', self.ids)], order=[('id', 'ASC')]),
            [parties[0], parties[2]])
        self.assertEqual(
            [i.active for i in Party(self.ids[2]).identifiers], [True])

    def undo(self, log):
        "Undo the merge and return the log as the next transaction sees it"
        log.__class__.undo([log])
        for cache in Transaction().cache.values():
            cache.clear()
        return log.__class__(log.id)

    def merge_first(self):
        "Merge the second party into the first and return the log"
        pool = Pool()
        Log = pool.get('party.merge.log')
        Party = pool.get('party.party')
        with set_company(self.company):
            self.merge(
                'party.party', Party.browse(self.ids[:2]),
                survivor=self.parties[0])
        log, = Log.search([
                ('survivor', '=', self.ids[0]), ('state', '=', 'merged')])
        return log

    @with_transaction()
    def test_merge_twice(self):
        "Test pressing again after the answer was lost"
        pool = Pool()
        Log = pool.get('party.merge.log')
        Party = self.set_up()
        merge, state = self.merge(
            'party.party', Party.browse(self.ids[:2]),
            survivor=self.parties[0])
        self.assertEqual(state, 'end')
        self.assertEqual(merge.transition_merge(), 'end')
        self.assertEqual(
            Log.search_count([('merged', '=', self.ids[1])]), 1)

    @with_transaction()
    def test_merge_twins(self):
        "Test that several open trackings of a business unit are told"
        pool = Pool()
        BusinessUnit = pool.get('sale.business_unit')
        Tracking = pool.get('sale.tracking')
        Party = self.set_up()
        unit, other = BusinessUnit.create([
                {'name': "Optics"}, {'name': "Other"}])
        with Transaction().set_context(_skip_warnings=True):
            trackings = [
                self.create_tracking(
                    self.company, party=self.ids[i], business_unit=u.id)
                for i, u in [(0, unit), (1, unit), (1, other)]]
        with set_company(self.company):
            merge, state = self.merge(
                'party.party', Party.browse(self.ids[:2]),
                survivor=self.parties[0])
            self.assertEqual(state, 'result')
            result = merge.default_result([])
            self.assertEqual(result['merged'], 1)
            self.assertEqual(
                set(result['trackings']), {t.id for t in trackings[:2]})
            Tracking.close([Tracking(trackings[0].id)])
            self.assertEqual(merge._get_twins(self.parties[0]), [])

    @with_transaction()
    def test_merge_cut(self):
        "Test that nothing is half done when merging one of them fails"
        pool = Pool()
        Log = pool.get('party.merge.log')
        Party = self.set_up()
        tracking = self.create_tracking(self.company, party=self.ids[1])
        with patch.object(Log, 'end', side_effect=RuntimeError), \
                self.assertRaises(RuntimeError):
            self.merge(
                'party.party', Party.browse(self.ids[:2]),
                survivor=self.parties[0])
        for cache in Transaction().cache.values():
            cache.clear()
        self.assertEqual(
            tracking.__class__(tracking.id).party, self.parties[1])
        self.assertTrue(Party(self.ids[1]).active)
        self.assertEqual(
            Log.search_count([('merged', '=', self.ids[1])]), 0)

    @with_transaction()
    def test_undo(self):
        "Test that a merge is logged and undone"
        pool = Pool()
        Address = pool.get('party.address')
        Note = pool.get('ir.note')
        Party = self.set_up()
        survivor, merged, _ = self.parties
        tracking = self.create_tracking(self.company, party=merged.id)
        Address.create([
                {'party': p.id, 'city': "Cali"} for p in [survivor, merged]])
        Note.create([{'resource': str(merged), 'message': "Calls late"}])
        self.search_duplicates()
        log = self.merge_first()
        self.assertEqual(log.merged, merged)
        self.assertEqual(log.company, self.company)
        self.assertEqual(log.user.id, Transaction().user)
        # Tracking, address, mechanism and note
        self.assertEqual(log.number, 4)
        self.assertEqual(
            {r.record.__name__ for r in log.lines}, {
                'sale.tracking', 'party.address', 'party.contact_mechanism',
                'ir.note'})
        self.assertIn(
            ("Party Address", "Party", "Cali"),
            {(
                    r.model_string, r.field_string,
                    r.record_name.split(', ')[-1]) for r in log.lines})
        for _ in range(2):
            # Twice does nothing more
            log = self.undo(log)
            self.assertEqual(log.state, 'undone')
            self.assertIsNone(log.kept)
            merged = Party(merged.id)
            self.assertTrue(merged.active)
            self.assertIsNone(merged.replaced_by)
            self.assertEqual([a.city for a in merged.addresses], ["Cali"])
            self.assertEqual(
                [m.value_compact for m in merged.contact_mechanisms],
                ['+573105551234'])
            self.assertEqual(
                tracking.__class__(tracking.id).party, merged)
            self.assertEqual(
                Note.search_count([('resource', '=', str(merged))]), 1)
            self.assertEqual(
                [a.city for a in Party(survivor.id).addresses], ["Cali"])
        self.assertEqual(self.search()[0, 1].state, 'not_duplicate')

    @with_transaction()
    def test_undo_kept(self):
        "Test that what changed since stays and is told with its reason"
        pool = Pool()
        Note = pool.get('ir.note')
        self.set_up()
        survivor, merged, other = self.parties
        with Transaction().set_context(_skip_warnings=True):
            trackings = [
                self.create_tracking(self.company, party=merged.id)
                for _ in range(3)]
        note, = Note.create([{'resource': str(merged), 'message': "Gone"}])
        log = self.merge_first()
        Note.delete([note])
        Tracking = trackings[0].__class__
        table = Tracking.__table__()
        cursor = Transaction().connection.cursor()
        cursor.execute(*table.update(
                [table.write_date], [dt.datetime(2100, 1, 1)],
                where=table.id == trackings[0].id))
        cursor.execute(*table.update(
                [table.party], [other.id], where=table.id == trackings[1].id))
        log = self.undo(log)
        self.assertEqual(log.state, 'undone')
        self.assertEqual(
            [Tracking(t.id).party for t in trackings],
            [survivor, other, merged])
        self.assertEqual(
            {r.record_name for r in log.lines if r.model_string == "Note"},
            {None})
        self.assertEqual(log.kept.splitlines(), [
                "Sale Tracking, Customer: 1 changed since",
                "Sale Tracking, Customer: 1 of another party now",
                "Note, Resource: 1 not there any more",
                ])

    @with_transaction()
    def test_undo_refused(self):
        "Test that a merge is not undone below another one"
        pool = Pool()
        Log = pool.get('party.merge.log')
        Party = self.set_up()
        log = self.merge_first()
        with set_company(self.company):
            self.merge(
                'party.party', Party.browse([self.ids[0], self.ids[2]]),
                survivor=self.parties[2])
        with self.assertRaises(MergeError):
            Log.undo([log])
        last, = Log.search([('survivor', '=', self.ids[2])])
        Log.undo([last])
        Log.undo([Log(log.id)])
        self.assertEqual(
            Party.search([('id', 'in', self.ids)], order=[('id', 'ASC')]),
            Party.browse(self.ids))
        self.assertEqual(Log(log.id).state, 'undone')
        # Brought back by hand
        log = self.merge_first()
        Party.write(
            [self.parties[1]], {'active': True, 'replaced_by': None})
        with self.assertRaises(MergeError):
            Log.undo([log])

    @with_transaction()
    def test_undo_access(self):
        "Test that only administrators undo and only of their company"
        pool = Pool()
        Log = pool.get('party.merge.log')
        Party = self.set_up()
        users = {
            group: self.create_user(
                create_employee(self.company, group), group)
            for group in [
                'group_tracking', 'group_tracking_manager',
                'group_tracking_admin']}
        log = self.merge_first()
        other = self.create_company()
        for group, user in users.items():
            with self.subTest(group=group), self.as_user(user):
                if group != 'group_tracking_admin':
                    for call in [
                            lambda: Log.read([log.id], ['id']),
                            lambda: Log.undo([Log(log.id)]),
                            ]:
                        with self.assertRaises(AccessError):
                            call()
                    continue
                self.assertEqual(Log.search([]), [log])
                Log.undo([Log(log.id)])
        self.assertTrue(Party(self.ids[1]).active)
        with Transaction().set_user(0):
            Log.write([log], {'company': other.id})
        with self.as_user(users['group_tracking_admin']):
            self.assertEqual(Log.search([]), [])

    @with_transaction()
    def test_find_all(self):
        "Test that the task of the night goes over all the parties by slices"
        pool = Pool()
        Duplicate = pool.get('party.duplicate')
        Job = pool.get('sale.job')
        Party = self.set_up()
        domain = [
            ('company', '=', self.company.id),
            ('model', '=', 'party.duplicate'),
            ]
        number = Party.search_count([])
        with patch(
                'trytond.modules.sale_opportunity_management.duplicate'
                '.duplicate._SIZE', number - 1), \
                set_company(self.company):
            with Transaction().set_user(0):
                Duplicate.find_all()
            job, = Job.search(domain)
            self.assertEqual(job.number, number)
            self.assertEqual(job.done, number - 1)
            # It is still about it
            Duplicate.find_all()
            self.assertEqual(Job.search(domain), [job])
            with patch.object(Transaction(), 'commit'):
                Job.process([job])
            job = Job(job.id)
            self.assertEqual((job.state, job.done), ('done', number))
            self.assertFalse((job.arguments or {}).get('since'))
            self.assertEqual(
                self.search().keys(), {(0, 1), (0, 2), (1, 2)})
            Duplicate.find_all()
            later, = Job.search(domain)
            self.assertNotEqual(later, job)
            self.assertTrue(later.arguments['since'])

    @with_transaction()
    def test_access(self):
        "Test that only administrators see, decide and merge"
        pool = Pool()
        Duplicate = pool.get('party.duplicate')
        Merge = pool.get('party.merge', type='wizard')
        self.set_up()
        pairs = self.search_duplicates()
        pair = pairs[0, 1]
        context = {
            'active_model': 'party.duplicate',
            'active_id': pair.id, 'active_ids': [pair.id]}
        for name, group in [
                ('Operator', 'group_tracking'),
                ('Manager', 'group_tracking_manager'),
                ('Administrator', 'group_tracking_admin')]:
            user = self.create_user(
                create_employee(self.company, name), group)
            with self.subTest(name=name), self.as_user(user), \
                    Transaction().set_context(context):
                if name == 'Administrator':
                    self.assertIn(pair, Duplicate.search([]))
                    Duplicate.dismiss([Duplicate(pair.id)])
                    self.assertTrue(Merge.create())
                    with self.assertRaises(AccessError):
                        Duplicate.write(
                            [Duplicate(pair.id)], {'state': 'merged'})
                    continue
                for call in [
                        lambda: Duplicate.search([]),
                        lambda: Duplicate.dismiss([Duplicate(pair.id)]),
                        Merge.create]:
                    with self.assertRaises(AccessError):
                        call()
