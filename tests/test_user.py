# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import unittest

from trytond.modules.company.tests import create_employee
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction

from .common import TrackingTestMixin

ROLES = ['group_tracking', 'group_tracking_manager', 'group_tracking_admin']


class UserTestCase(TrackingTestMixin, unittest.TestCase):
    "Test the users and their employees"

    def get_group(self, name):
        pool = Pool()
        Group = pool.get('res.group')
        ModelData = pool.get('ir.model.data')
        return Group(ModelData.get_id('sale_opportunity_management', name))

    def create_role(self, *groups, **values):
        pool = Pool()
        User = pool.get('res.user')
        user, = User.create([{
                    'name': "User",
                    'login': '-'.join(groups) or 'user',
                    'groups': [
                        ('add', [self.get_group(g).id for g in groups])],
                    **values,
                    }])
        return user

    def start(self, user):
        "Return what the user begins with"
        pool = Pool()
        User = pool.get('res.user')
        return [a.name for a in User(user.id).actions]

    @with_transaction()
    def test_start(self):
        "Test what the users of each role begin with"
        for roles, start in [
                ([], []),
                (ROLES[:1], ["My Work"]),
                (ROLES[:2], ["Trackings"]),
                (ROLES[1:2], ["Trackings"]),
                (ROLES, ["Trackings"]),
                ]:
            with self.subTest(roles=roles):
                self.assertEqual(self.start(self.create_role(*roles)), start)

    @with_transaction()
    def test_start_kept(self):
        "Test that what users chose to begin with is kept"
        pool = Pool()
        Action = pool.get('ir.action')
        User = pool.get('res.user')
        other, = Action.search([('name', '=', "Users")], limit=1)
        user = self.create_role(
            ROLES[0], actions=[('add', [other.id])])
        self.assertEqual(self.start(user), ["Users"])
        User.write([user], {
                'groups': [('add', [self.get_group(ROLES[1]).id])]})
        self.assertEqual(self.start(user), ["Users"])
        User.write([user], {'actions': [('remove', [other.id])]})
        User.write([user], {'name': "Somebody"})
        self.assertEqual(self.start(user), [])
        User.write([user], {
                'groups': [('add', [self.get_group(ROLES[2]).id])]})
        # It is as what they began with before
        self.assertEqual(self.start(user), [])

    @with_transaction()
    def test_open_trackings(self):
        "Test that only the trackings that the user may read are counted"
        pool = Pool()
        Employee = pool.get('company.employee')
        company = self.create_company()
        olga, oscar, mario, ana, nobody = [
            create_employee(company, name)
            for name in ["Olga", "Oscar", "Mario", "Ana", "Nobody"]]
        channel = self.create_channel(company, mario, olga)
        closed = self.create_tracking(company, operator=olga.id)
        for operator, channel in [
                (olga, channel), (olga, None), (oscar, None)]:
            self.create_tracking(
                company, operator=operator.id,
                channel=channel and channel.id)
        closed.state = 'closed'
        closed.save()
        for employee, groups, numbers in [
                (olga, ROLES[:1], [2, 0]),
                (mario, ROLES[1:2], [1, 0]),
                (ana, ROLES[2:], [2, 1]),
                (nobody, [], [None, None]),
                ]:
            user = self.create_user(employee, *groups)
            with self.subTest(employee=employee.rec_name), \
                    self.as_user(user):
                self.assertEqual([
                        e['open_trackings'] for e in Employee.read(
                            [olga.id, oscar.id], ['open_trackings'])],
                    numbers)
