# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import csv
import datetime as dt
import io
import json
import unittest
from unittest.mock import patch

from trytond.model import fields
from trytond.model.exceptions import AccessError, ValidationError
from trytond.modules.company.tests import (
    create_company, create_employee, set_company)
from trytond.modules.sale_opportunity_management.importing.exceptions import (
    ContactImportError, FileError)
from trytond.modules.sale_opportunity_management.importing.file import (
    ContactFile, Rejects, escape, unescape)
from trytond.modules.sale_opportunity_management.importing.heading import (
    COLUMNS)
from trytond.modules.sale_opportunity_management.importing.importer import (
    Importer)
from trytond.modules.sale_opportunity_management.savepoint import savepoint
from trytond.pool import Pool
from trytond.tests.test_tryton import (
    activate_module, drop_db, with_transaction)
from trytond.tools import file_open
from trytond.transaction import Transaction, check_access

try:
    import openpyxl
except ImportError:
    openpyxl = None

HEADINGS = (
    "Razón social;Tipo de identificador;NIT;Dirección;Código postal;Ciudad;"
    "Departamento;País;Teléfono;Celular;Correo electrónico;Contacto;Cargo;"
    "Teléfono del contacto;Correo del contacto;Unidad de negocio;Canal;"
    "Operador;Valoración;Comentario")


def read(data):
    "Return the dictionaries and the names of the errors of the rows"
    if isinstance(data, str):
        data = data.encode()
    return [
        (row, [e.name for e in errors])
        for _, _, row, errors in ContactFile(io.BytesIO(data)).rows()]


def read_rows(data):
    return [row for row, errors in read(data) if not errors]


def get_workbook(rows, formats=None):
    book = openpyxl.Workbook()
    sheet = book.active
    for row in rows:
        sheet.append(row)
    for name, format_ in (formats or {}).items():
        sheet[name].number_format = format_
    file = io.BytesIO()
    book.save(file)
    return file


class ContactFileTestCase(unittest.TestCase):
    "Test reading files of contacts"

    def test_delimiters(self):
        "Test the delimiters"
        for delimiter in ';,\t|':
            with self.subTest(delimiter=delimiter):
                lines = [
                    ["Name", "City", "Phone"],
                    ["Óptica", "Bogotá", "1,2;3"],
                    ]
                file = io.StringIO()
                csv.writer(file, delimiter=delimiter).writerows(lines)
                self.assertEqual(read(file.getvalue()), [
                        ({
                                'name': "Óptica",
                                'city': "Bogotá",
                                'phone': "1,2;3",
                                }, [])])

    def test_dialects(self):
        "Test quotes, title lines, separator lines and line ends"
        for data in [
                '"Name";"City"\r\n"A ""B""";"C\nD"\r\n',
                'sep=;\nName;City\n"A ""B""";"C\nD"\n',
                'Contacts of 2026\n\nName;City\n"A ""B""";"C\nD"\n\n',
                "'Name';'City'\n'A \"B\"';'C\nD'\n",
                ]:
            with self.subTest(data=data):
                self.assertEqual(
                    read_rows(data), [{'name': 'A "B"', 'city': 'C\nD'}])
        self.assertEqual(
            read_rows('Name;City\rA;B\rC;D\r'),
            [{'name': 'A', 'city': 'B'}, {'name': 'C', 'city': 'D'}])

    def test_encodings(self):
        "Test the encodings"
        data = "Razón social;Ciudad\nÓptica Ñandú;Bogotá\n"
        for encoding in [
                'utf-8', 'utf-8-sig', 'utf-16', 'utf-16-le', 'utf-16-be',
                'cp1252', 'latin-1']:
            with self.subTest(encoding=encoding):
                self.assertEqual(
                    read_rows(data.encode(encoding)),
                    [{'name': "Óptica Ñandú", 'city': "Bogotá"}])

    def test_mixed_encodings(self):
        "Test a file whose lines have different encodings"
        self.assertEqual(
            read_rows(
                b'Name;City\n' + "Óptica;Bogotá\n".encode()
                + "Ñandú;Medellín\n".encode('cp1252')
                + b'\x81x;y\n'), [
                {'name': "Óptica", 'city': "Bogotá"},
                {'name': "Ñandú", 'city': "Medellín"},
                {'name': "\x81x", 'city': "y"},
                ])

    def test_headings(self):
        "Test that headings are found however they are written"
        contacts = ContactFile(io.BytesIO(
                b'RAZON SOCIAL;ciudad;E mail;Tel\xc3\xa9fono 1;Telefono 2;'
                b'contact_email;Shoe size\nA;B;a@b.co;1;2;c@d.co;43\n'))
        self.assertEqual(contacts.columns, [
                'name', 'city', 'email', 'phone', 'phone', 'contact_email',
                None])
        self.assertEqual(contacts.unknown, ["Shoe size"])
        (_, _, row, _), = contacts.rows()
        self.assertEqual(row['phone'], '1\n2')

    def test_template(self):
        "Test that the template has each column once"
        with file_open(
                'sale_opportunity_management/importing/contact_template.csv',
                mode='rb') as file:
            contacts = ContactFile(file)
            self.assertEqual(
                set(contacts.columns), COLUMNS.keys() - {
                    'customer', 'check_digit', 'first_name', 'last_name'})
            rows = list(contacts.rows())
        self.assertEqual(len(rows), 2)
        self.assertFalse(any(errors for *_, errors in rows))

    def test_no_headings(self):
        "Test files that are refused as a whole"
        for data, name in [
                (b'', 'msg_contact_file_headings'),
                (b'A;B\nC;D\n', 'msg_contact_file_headings'),
                (b'\xd0\xcf\x11\xe0xls', 'msg_contact_file_xlsx'),
                (b'PK\x03\x04broken', 'msg_contact_file_xlsx'),
                ]:
            with self.subTest(data=data):
                with self.assertRaises(FileError) as cm:
                    ContactFile(io.BytesIO(data))
                self.assertEqual(cm.exception.name, name)

    def test_numbers(self):
        "Test numbers that a spreadsheet spoiled"
        for text, value in [
                ('600123456.0', '600123456'),
                ('600123456,00', '600123456'),
                ('6.00123456E8', '600123456'),
                ('6,00123456E+08', '600123456'),
                ('6.0012345600E+08', '600123456'),
                ('="0601234567"', '0601234567'),
                ('=+573105551234', '+573105551234'),
                ("'+573105551234", '+573105551234'),
                ('\xa0310 555 1234 ', '310 555 1234'),
                ('310\x00555', '310555'),
                ]:
            with self.subTest(text=text):
                file = io.StringIO()
                csv.writer(file).writerows([["Name", "Phone"], ["A", text]])
                self.assertEqual(
                    read(file.getvalue()),
                    [({'name': 'A', 'phone': value}, [])])

    def test_bad_cells(self):
        "Test that a cell that cannot be known rejects its row only"
        for column, text, name in [
                ("Phone", '6,00E+08', 'msg_contact_file_digits'),
                ("NIT", '8.00123E+99', 'msg_contact_file_digits'),
                ("City", '=VLOOKUP(A1;B:C;2)', 'msg_contact_file_formula'),
                ("City", '=$A$1', 'msg_contact_file_formula'),
                ("City", '#N/A', 'msg_contact_file_error'),
                ("City", '#¡REF!', 'msg_contact_file_error'),
                ("City", 'x' * 110_000, 'msg_contact_file_cell_size'),
                ("City", 'x' * (10 << 20), 'msg_contact_file_cell_size'),
                ]:
            with self.subTest(text=text[:20]):
                file = io.StringIO()
                csv.writer(file).writerows([
                        ["Name", column], ["A", text], ["B", ""]])
                (row, errors), following = read(file.getvalue())
                self.assertEqual(errors, [name])
                self.assertEqual(row['name'], "A")
                self.assertEqual(following, ({'name': 'B'}, []))

    def test_open_quote(self):
        "Test that a quote that is not closed does not swallow the file"
        for number in [3, 500]:
            lines = ''.join(f'N{i};C\n' for i in range(number))
            rows = read('Name;City\n"A;B\n' + lines)
            self.assertEqual(rows[0][1], ['msg_contact_file_quote'])
            self.assertEqual(len(rows), number + 1)
            self.assertEqual(
                rows[-1], ({'name': f'N{number - 1}', 'city': 'C'}, []))
        # Not at the beginning of a cell it is a character
        self.assertEqual(
            read_rows('Name;City\nA 5";B\n'), [{'name': 'A 5"', 'city': 'B'}])

    def test_line_numbers(self):
        "Test the numbers of the lines"
        contacts = ContactFile(io.BytesIO(
                b'Name;City\nA;"x\ny"\n\nB;z\n"C;d\nD;e\n'))
        self.assertEqual(
            [(line, row['name']) for line, _, row, _ in contacts.rows()],
            [(2, 'A'), (5, 'B'), (6, 'C'), (7, 'D')])

    def test_escape(self):
        "Test that what is escaped can be read back"
        for text in [
                '=1+2', '+573105551234', '-1', '@x', '\t=x', "'=x", "''+1",
                "plain", "it's", "'quoted'", '']:
            with self.subTest(text=text):
                escaped = escape(text)
                self.assertNotIn(escaped[:1] or 'x', '=+-@\t')
                self.assertEqual(unescape(escaped), text)

    def test_rejects(self):
        "Test that a rejects file can be read again"
        data = (
            "Name;Phone;Comment;Shoe size\n"
            "A;+573105551234;=A1+B2;43\n"
            "B;'+573105551234;@x;\n")
        for _ in range(3):
            contacts = ContactFile(io.BytesIO(data.encode()))
            rows = list(contacts.rows())
            self.assertEqual(
                [row.get('phone') for _, _, row, _ in rows],
                ['+573105551234'] * 2)
            file = io.StringIO(newline='')
            rejects = Rejects(file, contacts.headings)
            rejects.write_rows(rows, [{
                        'line': line,
                        'fields': ['phone'],
                        'reason': "=reason",
                        'customer': '7',
                        } for line, *_ in rows])
            data = file.getvalue()
            self.assertEqual(
                next(csv.reader([data.splitlines()[0]])), [
                    "Name", "Phone", "Comment", "Shoe size", "Customer Code",
                    "Line", "Field", "Reason"])
            cells = list(csv.reader(io.StringIO(data)))[1]
            self.assertEqual(cells, [
                    "A", "'+573105551234", "'=A1+B2", "43", "7", '2', "Phone",
                    "'=reason"])

    def test_groups(self):
        "Test that the rows of the same company come together"
        rows = [f'Company {i};{i};' for i in range(30)]
        rows[3] = 'Óptica Andina S.A.S.;;'
        rows[20] = 'Optica andina;;800197268-4'
        rows[29] = 'Another name;;800.197.268-4'
        contacts = ContactFile(io.BytesIO(
                ('Name;City;NIT\n' + '\n'.join(rows)).encode()))
        chunks = [
            [line for line, *_ in chunk] for chunk in contacts.chunks(5)]
        self.assertEqual(sorted(sum(chunks, [])), list(range(2, 32)))
        self.assertEqual(contacts.size, 30)
        self.assertTrue(any({5, 22, 31} <= set(c) for c in chunks))

    @unittest.skipUnless(openpyxl, "openpyxl is missing")
    def test_xlsx(self):
        "Test the values of a spreadsheet"
        file = get_workbook([
                ["Contacts"],
                ["Name", "Phone", "Postal Code", "NIT", "City", "Comment"],
                ["A", 600123456.0, 1234, 8.00123456e8, "Bogotá", None],
                ["B", 573105551234, "01234", 800123456, True,
                    dt.datetime(2026, 5, 3)],
                [None, None, None],
                ["C", "'+573105551234", None, None, 1.5,
                    dt.datetime(2026, 5, 3, 14, 30)],
                ], formats={'C3': '00000'})
        self.assertEqual(
            [(line, row) for line, _, row, _ in ContactFile(file).rows()], [
                (3, {
                        'name': "A", 'phone': '600123456',
                        'postal_code': '01234', 'identifier': '800123456',
                        'city': "Bogotá"}),
                (4, {
                        'name': "B", 'phone': '573105551234',
                        'postal_code': '01234', 'identifier': '800123456',
                        'city': 'TRUE', 'comment': '2026-05-03'}),
                (6, {
                        'name': "C", 'phone': '+573105551234', 'city': '1.5',
                        'comment': '2026-05-03 14:30:00'}),
                ])

    @unittest.skipUnless(openpyxl, "openpyxl is missing")
    def test_xlsx_formula(self):
        "Test that a formula without value is not taken for an empty cell"
        file = get_workbook([
                ["Name", "Phone"], ["A", '=1+2'], ["B", "3105551234"]])
        self.assertEqual(read(file.getvalue()), [
                ({'name': "A"}, ['msg_contact_file_formula']),
                ({'name': "B", 'phone': "3105551234"}, []),
                ])


class ContactImportTestCase(unittest.TestCase):
    "Test the import of contacts"

    @classmethod
    def setUpClass(cls):
        drop_db()
        activate_module('sale_opportunity_management')
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        drop_db()

    def setUpCompany(self, name="Company"):
        pool = Pool()
        Address = pool.get('party.address')
        Country = pool.get('country.country')
        Subdivision = pool.get('country.subdivision')
        countries = {c.code: c for c in Country.search([])}
        if not countries:
            colombia, spain = Country.create([
                    {'name': "Colombia", 'code': 'CO', 'code3': 'COL'},
                    {'name': "Spain", 'code': 'ES', 'code3': 'ESP'},
                    ])
            Subdivision.create([{
                        'name': name, 'code': code, 'country': colombia.id,
                        'type': 'department',
                        } for code, name in [
                        ('CO-ANT', "Antioquia"),
                        ('CO-DC', "Distrito Capital de Bogotá"),
                        ]])
        else:
            colombia = countries['CO']
        company = create_company(name)
        Address.create([{
                    'party': company.party.id,
                    'country': colombia.id,
                    }])
        return company

    def import_(self, text, headings=HEADINGS, **options):
        "Import the lines and return what is not zero"
        pool = Pool()
        ContactImport = pool.get('party.contact.import')
        contacts = ContactFile(io.BytesIO(f'{headings}\n{text}'.encode()))
        result = {}
        for rows in contacts.chunks():
            for name, value in ContactImport.import_rows(
                    contacts.to_import(rows), options).items():
                result[name] = result.get(name, type(value)()) + value
        return {n: v for n, v in result.items() if v}

    def get_party(self, name):
        pool = Pool()
        Party = pool.get('party.party')
        party, = Party.search([('name', '=', name)])
        return party

    @with_transaction()
    def test_create(self):
        "Test all the columns"
        pool = Pool()
        BusinessUnit = pool.get('sale.business_unit')
        Channel = pool.get('sale.channel')
        Employee = pool.get('company.employee')
        Party = pool.get('party.party')
        Tracking = pool.get('sale.tracking')
        company = self.setUpCompany()
        unit, = BusinessUnit.create([{'name': "Óptica nueva"}])
        Channel.create([{
                    'name': "North", 'code': 'N', 'company': company.id}])
        party, = Party.create([{'name': "Olga Ortiz"}])
        employee, = Employee.create([{
                    'party': party.id, 'company': company.id}])
        with set_company(company):
            self.assertEqual(self.import_(
                    "Óptica Andina S.A.S.;NIT;800197268-4;Calle 1 # 2-3;"
                    "050012;Medellín;antioquia;colombia;"
                    "(604) 444 55 66 / 604 444 5567;3105551234;"
                    "info@andina.example.com;Ana Gómez;Gerente;3205551234;"
                    "ana@andina.example.com;optica NUEVA;n;olga ortiz;★★★;"
                    "Llamar temprano\n", trackings=True), {
                    'created': 1, 'persons': 1, 'trackings': 1})
            party = self.get_party("Óptica Andina S.A.S.")
            self.assertTrue(party.code)
            self.assertEqual(party.code_alnum, party.code)
            self.assertEqual(party.code_digit, int(party.code))
            self.assertEqual(party.name_compact, "optica andina")
            identifier, = party.identifiers
            self.assertEqual(
                (identifier.type, identifier.code, identifier.code_compact),
                ('co_vat', '800.197.268-4', '8001972684'))
            address, = party.addresses
            self.assertEqual(
                (address.street, address.postal_code, address.city,
                    address.subdivision.code, address.country.code),
                ("Calle 1 # 2-3", '050012', "Medellín", 'CO-ANT', 'CO'))
            person, = party.contacts
            self.assertEqual(
                (person.name, person.job_title), ("Ana Gómez", "Gerente"))
            self.assertEqual({
                    (m.type, m.value, m.value_compact, m.contact)
                    for m in party.contact_mechanisms}, {
                    ('phone', '+57 604 4445566', '+576044445566', None),
                    ('phone', '+57 604 4445567', '+576044445567', None),
                    ('mobile', '+57 310 5551234', '+573105551234', None),
                    ('email', 'info@andina.example.com',
                        'info@andina.example.com', None),
                    ('phone', '+57 320 5551234', '+573205551234', person),
                    ('email', 'ana@andina.example.com',
                        'ana@andina.example.com', person),
                    })
            self.assertEqual(party.rating, '3')
            self.assertEqual(party.rating_comment, "Llamar temprano")
            tracking, = Tracking.search([('party', '=', party.id)])
            self.assertTrue(tracking.number)
            self.assertEqual(tracking.company, company)
            self.assertEqual(tracking.business_unit, unit)
            self.assertEqual(tracking.channel.code, 'N')
            self.assertEqual(tracking.operator, employee)
            self.assertTrue(tracking.assign_date)
            self.assertEqual(
                tracking.contact_mechanism.value, '+57 604 4445566')

    @with_transaction()
    def test_same_as_created(self):
        "Test that an imported customer is stored as any other"
        pool = Pool()
        Party = pool.get('party.party')
        cursor = Transaction().connection.cursor()
        with set_company(self.setUpCompany()):
            Party.create([{
                        'name': "Óptica Andina",
                        'contact_mechanisms': [('create', [{
                                        'type': 'mobile',
                                        'value': '310 555 1234',
                                        }])],
                        }])
            self.import_("Óptica Andina;3105551234", "Name;Mobile",
                duplicates='new')
            for table, columns in [
                    ('party_party', 'name, name_compact, active, '
                        'length(code_alnum), code_digit IS NULL'),
                    ('party_contact_mechanism',
                        'type, value, value_compact, active'),
                    ]:
                cursor.execute(
                    f'SELECT {columns} FROM {table} ORDER BY id DESC')
                first, second = cursor.fetchall()[:2]
                self.assertEqual(first, second)
            # What a module sets for each party by default as well
            first, second = Party.search(
                [('name', '=', "Óptica Andina")], order=[('id', 'ASC')])
            for name in Party._fields:
                field = Party._fields[name]
                if field.__class__.__name__ == 'MultiValue':
                    self.assertEqual(
                        getattr(first, name), getattr(second, name), name)

    @with_transaction()
    def test_no_second_statement(self):
        "Test that no update follows the creation"
        pool = Pool()
        ContactMechanism = pool.get('party.contact_mechanism')
        Identifier = pool.get('party.identifier')
        Party = pool.get('party.party')
        with set_company(self.setUpCompany()):
            for Model in [Party, ContactMechanism, Identifier]:
                patcher = patch.object(Model, 'write')
                write = patcher.start()
                self.addCleanup(patcher.stop)
                write.side_effect = AssertionError
            self.assertEqual(self.import_(
                    "A;800197268-4;3105551234;a@example.com",
                    "Name;NIT;Mobile;Email")['created'], 1)

    @with_transaction()
    def test_phones(self):
        "Test national and international numbers"
        with set_company(self.setUpCompany()):
            result = self.import_(
                "A;;310 555 1234\n"
                "B;;+57 (310) 555-1235\n"
                "C;ES;600 123 456\n"
                "D;Spain;+34600123457\n"
                "E;ESP;600123458.0\n"
                "F;;0057 3105551236\n"
                "G;;12345\n"
                "H;ES;   \n",
                "Name;Country;Mobile")
            self.assertEqual(result['created'], 7)
            reject, = result['rejects']
            self.assertEqual(reject['line'], 8)
            self.assertEqual(reject['fields'], ['mobile'])
            self.assertIn('12345', reject['reason'])
            for name, compact in [
                    ("A", '+573105551234'), ("B", '+573105551235'),
                    ("C", '+34600123456'), ("D", '+34600123457'),
                    ("E", '+34600123458'), ("F", '+573105551236')]:
                mechanism, = self.get_party(name).contact_mechanisms
                self.assertEqual(mechanism.value_compact, compact)
                self.assertEqual(
                    mechanism.format_value(mechanism.value, 'mobile'),
                    mechanism.value)
            self.assertFalse(self.get_party("H").contact_mechanisms)

    @with_transaction()
    def test_rejects(self):
        "Test that each refused row has its line, fields and reason"
        with set_company(self.setUpCompany()):
            result = self.import_(
                ";1;;;;;\n"
                "A;;Narnia;;;;\n"
                "B;;;x@;;;\n"
                "C;;;;123;;\n"
                "D;;;;;9;\n"
                "E;;;;;;Nowhere\n"
                "F;;;;;;\n"
                "G;Narnia;;x@y;123;7;Mars\n",
                "Name;Subdivision;Country;Email;NIT;Rating;Business Unit",
                trackings=True)
            self.assertEqual(result['rejected'], 8)
            self.assertEqual(
                [(r['line'], r['fields'])
                    for r in sorted(
                        result['rejects'], key=lambda r: r['line'])], [
                    (2, ['name', 'subdivision', 'business_unit']),
                    (3, ['country']),
                    (4, ['email', 'business_unit']),
                    (5, ['identifier', 'business_unit']),
                    (6, ['business_unit', 'rating']),
                    (7, ['business_unit']),
                    (8, ['business_unit']),
                    (9, [
                            'subdivision', 'identifier', 'email',
                            'business_unit', 'rating']),
                    ])
            self.assertTrue(all(r['reason'] for r in result['rejects']))

    @with_transaction()
    def test_refused_by_the_model(self):
        "Test that what only the model refuses stops no other row"
        pool = Pool()
        Party = pool.get('party.party')
        validate = Party.validate_fields.__func__

        def validate_fields(cls, parties, field_names):
            validate(cls, parties, field_names)
            for party in parties:
                if party.name and party.name.startswith("Bad"):
                    raise ValidationError(f"{party.name} is refused")

        with set_company(self.setUpCompany()), \
                patch.object(
                    Party, 'validate_fields', classmethod(validate_fields)):
            result = self.import_(
                ''.join(
                    f"{'Bad' if i in {0, 7, 8, 19} else 'Good'} {i};"
                    f"310555{i:04};Person\n" for i in range(20)),
                "Name;Mobile;Contact")
            self.assertEqual(
                (result['created'], result['persons'], result['rejected']),
                (16, 16, 4))
            self.assertEqual(
                [(r['line'], r['reason']) for r in result['rejects']],
                [(i + 2, f"Bad {i} is refused") for i in [0, 7, 8, 19]])
            self.assertEqual(
                Party.search([('name', 'like', "Good%")], count=True), 16)
            self.assertFalse(Party.search([('name', 'like', "Bad%")]))

    @with_transaction()
    def test_validation(self):
        "Test that what is created in bulk is validated as any other"
        pool = Pool()
        Country = pool.get('country.country')
        Party = pool.get('party.party')
        company = self.setUpCompany()
        spain, = Country.search([('code', '=', 'ES')])
        subdivision, = pool.get('country.subdivision').search([
                ('code', '=', 'CO-ANT')])
        with set_company(company):
            one, other = Party.create([{'name': "One"}, {'name': "Other"}])
            person, = pool.get('party.contact').create([{
                        'party': other.id, 'name': "Ana"}])
            for model, values in [
                    ('party.party', {'name': "A\tB"}),
                    ('party.address', {
                            'country': spain.id,
                            'subdivision': subdivision.id}),
                    ('party.address', {'city': "A\nB"}),
                    ('party.address', {'party': None}),
                    ('party.contact', {'name': None}),
                    ('party.contact', {'name': "A\nB"}),
                    ('party.contact', {'name': "A", 'party': None}),
                    ('party.contact_mechanism', {'contact': person.id}),
                    ('party.contact_mechanism', {'type': 'pigeon'}),
                    ('party.contact_mechanism', {'type': None}),
                    ('party.contact_mechanism', {
                            'type': 'mobile', 'value': '12'}),
                    ('party.contact_mechanism', {'value': "A\nB"}),
                    ]:
                Model = pool.get(model)
                valid = {
                    'party.party': {'name': "B"},
                    'party.address': {'party': one.id, 'city': "B"},
                    'party.contact': {'party': one.id, 'name': "B"},
                    'party.contact_mechanism': {
                        'party': one.id, 'type': 'other', 'value': "x"},
                    }[model]
                for context in [{}, {'_bulk': True}]:
                    with self.subTest(
                            model=model, values=values, context=context), \
                            savepoint(keep=False), \
                            Transaction().set_context(context), \
                            self.assertRaises(ValidationError):
                        # One that is invalid among others
                        Model.create([valid, {**valid, **values}, valid])

    @with_transaction()
    def test_load(self):
        "Test that what is validated in bulk is what is stored"
        pool = Pool()
        country, = pool.get('country.country').search([('code', '=', 'CO')])
        with set_company(self.setUpCompany()):
            party, = pool.get('party.party').create([{'name': "Óptica"}])
            for model, values in [
                    ('party.party', {'name': " A  B "}),
                    ('party.address', {
                            'country': country.id,
                            'city': "Cali ",
                            'street_unstructured': "A\nB",
                            }),
                    ('party.contact', {'name': "Ana", 'job_title': ""}),
                    ('party.contact_mechanism', {
                            'type': 'mobile', 'value': "+57 310 5551234"}),
                    ]:
                Model = pool.get(model)
                if model != 'party.party':
                    values['party'] = party.id
                records = Model.create([values, values])
                names = {
                    n for n, f in Model._fields.items()
                    if f.loading == 'eager'
                    and not isinstance(f, fields.Function)}
                cache = Transaction().get_cache()[model]
                for record in records:
                    with self.subTest(model=model):
                        cache.clear()
                        Model._load(records)
                        loaded = dict(cache[record.id]._items())
                        cache.clear()
                        stored, = Model.read([record.id], names)
                        self.assertLessEqual(loaded.items(), stored.items())
                        self.assertLessEqual(values.keys(), loaded.keys())

    @with_transaction()
    def test_same_company(self):
        "Test that the rows of a company are its persons"
        with set_company(self.setUpCompany()):
            self.assertEqual(self.import_(
                    "Óptica Andina S.A.S.;Bogotá D.C.;;Ana;\n"
                    "Otra;Cali;;;\n"
                    "optica andina;bogota;3105551234;Luis;\n"
                    "Optica Andina;Bogotá;3105551234;luis;Compras\n"
                    "Óptica Andina;Medellín;;Eva;\n",
                    "Name;City;Mobile;Contact;Job Title"),
                {'created': 3, 'merged': 2, 'persons': 3})
            party = self.get_party("Óptica Andina S.A.S.")
            self.assertEqual(
                [c.rec_name for c in party.contacts],
                ["Ana", "Luis (Compras)"])
            self.assertEqual(len(party.contact_mechanisms), 1)

    @with_transaction()
    def test_duplicates(self):
        "Test by what existing customers are found"
        with set_company(self.setUpCompany()):
            self.import_(
                "Óptica Andina S.A.S.;Bogotá;800197268-4;3105551234;"
                "Info@andina.example.com\n",
                "Name;City;NIT;Mobile;Email")
            for text in [
                    "Another name;;800.197.268-4;;",
                    "optica andina;Cali;;+57 310 555 1234;",
                    "Óptica ANDINA;Cali;;;info@ANDINA.example.com",
                    "optica andina;BOGOTA;;;",
                    "OPTICA ANDINA SAS;;;;",
                    ]:
                with self.subTest(text=text):
                    self.assertEqual(self.import_(
                            text, "Name;City;NIT;Mobile;Email"),
                        {'matched': 1})
            for text in [
                    "Óptica Andina;Cali;;;",
                    # A number in common does not make them the same
                    "Another name;;;+57 310 555 1234;",
                    "Another name;;;;info@ANDINA.example.com",
                    # The identifier tells that it is another one
                    "Óptica Andina;Bogotá;890903938-8;3105551234;",
                    ]:
                with self.subTest(text=text):
                    self.assertEqual(self.import_(
                            text, "Name;City;NIT;Mobile;Email",
                            dry_run=True),
                        {'created': 1})

    @with_transaction()
    def test_duplicates_in_file(self):
        "Test rows of the same file with the same number"
        text = "A;3105551234\nB;310 555 1234\nC;3105551235\n"
        for duplicates, result in [
                ('skip', {'created': 3}),
                ('update', {'created': 3}),
                ('new', {'created': 3}),
                ]:
            with self.subTest(duplicates=duplicates), \
                    set_company(self.setUpCompany(duplicates)):
                self.assertEqual(self.import_(
                        text, "Name;Mobile", duplicates=duplicates,
                        dry_run=True), result)

    @with_transaction()
    def test_shared(self):
        "Test that numbers in common never make customers of others lost"
        headings = "Name;Mobile;Email"
        text = "A;3105551234;\nB;3105551234;\nC;;c@c.co\nD;;C@c.co\n"
        with set_company(self.setUpCompany()):
            result = self.import_(
                text, headings, shared='reject', dry_run=True)
            self.assertEqual((result['created'], result['rejected']), (2, 2))
            self.assertEqual(
                [(r['line'], r['fields'], r['reason'])
                    for r in result['rejects']], [
                    (3, ['mobile'], '"+573105551234" is also of "A".'),
                    (5, ['email'], '"c@c.co" is also of "C".')])
            self.assertEqual(self.import_(text, headings), {'created': 4})
            self.assertEqual(self.import_(text, headings), {'matched': 4})

    @with_transaction()
    def test_placeholders(self):
        "Test that what says that there is nothing is nothing"
        with set_company(self.setUpCompany()):
            self.assertEqual(self.import_(
                    "A;-;N/A;notiene@notiene.com;sin\n"
                    "B;0000000;no tiene;NoTiene@notiene.com;-\n"
                    "C;3105551234 / ninguno;s/n;na;N.A.\n",
                    "Name;Mobile;NIT;Email;Contact"), {'created': 3})
            for name, number in [("A", 0), ("B", 0), ("C", 1)]:
                party = self.get_party(name)
                self.assertEqual(len(party.contact_mechanisms), number)
                self.assertFalse(party.identifiers)
                self.assertFalse(party.contacts)

    @with_transaction()
    def test_homonyms(self):
        "Test that persons with the same name are not one"
        headings = "Name;City;Mobile"
        text = ''.join(
            f"Carlos Pérez;Cali;310555123{i}\n" for i in range(3))
        with set_company(self.setUpCompany()):
            self.assertEqual(self.import_(text, headings), {'created': 3})
            self.assertEqual(self.import_(text, headings), {'matched': 3})

    @with_transaction()
    def test_total(self):
        "Test that a total is no customer"
        with set_company(self.setUpCompany()):
            result = self.import_(
                "A;3105551234\nTOTAL;\nTotal clientes: 35;\n"
                "Total S.A.;3105551235\n", "Name;Mobile")
            self.assertEqual((result['created'], result['rejected']), (2, 2))

    @with_transaction()
    def test_large_company(self):
        "Test that no row of a large company is lost"
        with set_company(self.setUpCompany()):
            self.assertEqual(self.import_(
                    ''.join(f"A;Cali;Person {i}\n" for i in range(1200)),
                    "Name;City;Contact"),
                {'created': 1, 'merged': 1199, 'persons': 1200})

    @with_transaction()
    def test_outcomes(self):
        "Test that each row has an outcome and they add up"
        pool = Pool()
        ContactImport = pool.get('party.contact.import')
        Row = pool.get('party.contact.import.row')
        User = pool.get('res.user')
        company = self.setUpCompany()
        User.write([User(1)], {'companies': [('add', [company.id])]})
        headings = "Name;City;Mobile;Email;Contact"
        with set_company(company):
            self.import_("Old;Cali;3105551230;;\nTwin;;3105551231;;", headings)
            import_, = ContactImport.create([{
                        'file_name': "contacts.csv",
                        'file': (
                            f"{headings}\n"
                            "New;Cali;3105551234;;Ana\n"
                            "New;Cali;;;Luis\n"
                            "old;Cali;3105551230;old@example.com;\n"
                            "Twin;;3105551231;;\n"
                            "Other;;3105551231;;\n"
                            "Bad;;12;;\n").encode(),
                        'headings': json.dumps(headings.split(';')),
                        'duplicates': 'update',
                        }])
            import_.run()
            rows = Row.search([('contact_import', '=', import_.id)])
            self.assertEqual([
                    (r.line, r.name, r.outcome, r.party and r.party.name,
                        r.reason) for r in rows[:5]], [
                    (2, "New", 'created', "New", None),
                    (3, "New", 'merged', "New", "By the name."),
                    (4, "old", 'updated', "Old",
                        'By the name and "+573105551230".'),
                    (5, "Twin", 'matched', "Twin",
                        'By the name and "+573105551231".'),
                    (6, "Other", 'created', "Other",
                        '"+573105551231" is also of "Twin".'),
                    ])
            self.assertEqual(rows[2].new, "old@example.com")
            self.assertEqual(
                (rows[5].outcome, rows[5].field), ('rejected', "Mobile"))
            self.assertEqual([
                    getattr(import_, n) for n in [
                        'created', 'merged', 'updated', 'matched',
                        'rejected', 'persons']], [2, 1, 1, 1, 1, 2])
            self.assertEqual(len(import_.rejects), 1)

    @with_transaction()
    def test_begin(self):
        "Test that a script tells what became of its rows"
        pool = Pool()
        ContactImport = pool.get('party.contact.import')
        User = pool.get('res.user')
        company = self.setUpCompany()
        User.write([User(1)], {'companies': [('add', [company.id])]})
        with set_company(company):
            id_ = ContactImport.begin({
                    'file_name': "contacts.csv",
                    'headings': ["Name", "Mobile"],
                    'columns': ['name', 'mobile'],
                    'duplicates': 'update',
                    })
            result = self.import_(
                "A;3105551234\nB;12\n", "Name;Mobile", contact_import=id_)
            ContactImport.end(id_)
            import_ = ContactImport(id_)
            self.assertEqual(
                (import_.state, import_.created, import_.rejected,
                    import_.position), ('done', 1, 1, 2))
            reject, = import_.rejects
            self.assertEqual(
                (reject.field, reject.reason),
                ("Mobile", result['rejects'][0]['reason']))
            # What is done takes no more rows
            with self.assertRaises(AccessError):
                self.import_("C;", "Name;Mobile", contact_import=id_)

    @with_transaction()
    def test_mapping(self):
        "Test that columns are mapped by hand and that is remembered"
        pool = Pool()
        ContactImport = pool.get('party.contact.import')
        ImportContacts = pool.get('party.import_contacts', type='wizard')
        Mapping = pool.get('party.contact.import.mapping')
        User = pool.get('res.user')
        company = self.setUpCompany()
        User.write([User(1)], {'companies': [('add', [company.id])]})
        data = "A list of\nFoo,Bar;Baz\nA;310 555 1234\nB;12\n".encode()

        def open_wizard():
            session_id, _, _ = ImportContacts.create()
            wizard = ImportContacts(session_id)
            wizard.start.company = company
            wizard.start.file = data
            wizard.start.file_name = "contacts.csv"
            wizard.start.duplicates = 'update'
            wizard.start.shared = 'reject'
            return wizard

        def fill(wizard, **values):
            values = {**wizard.default_preview([]), **values}
            columns = values.pop('columns')
            for name, value in values.items():
                setattr(wizard.preview, name, value)
            Column = pool.get('party.import_contacts.column')
            wizard.preview.columns = [Column(**c) for c in columns]
            return columns

        with set_company(company):
            wizard = open_wizard()
            columns = fill(wizard)
            self.assertEqual(wizard.preview.file_name, "contacts.csv")
            # Something else than what was guessed
            wizard.preview.heading_line = 2
            wizard.preview.delimiter = ';'
            columns = fill(wizard)
            self.assertEqual([
                    (c['heading'], c['guess'], c['example'])
                    for c in columns], [
                    ("Foo,Bar", None, "A | B"),
                    ("Baz", None, "310 555 1234 | 12")])
            with self.assertRaises(ContactImportError):
                wizard.transition_import_()
            for column in wizard.preview.columns:
                column.column = 'name'
            with self.assertRaises(ContactImportError):
                wizard.transition_import_()
            wizard.preview.columns[1].column = 'mobile'
            wizard.preview.name = "Of the trade fair"
            # Going back and forth keeps what was chosen
            self.assertEqual(
                wizard.default_start(['duplicates', 'shared', 'company']), {
                    'duplicates': 'update', 'shared': 'reject',
                    'company': company.id})
            self.assertEqual(
                [c['column'] for c in fill(wizard)], ['name', 'mobile'])
            wizard.transition_import_()
            import_ = ContactImport(wizard.preview.contact_import.id)
            self.assertEqual(
                (import_.created, import_.rejected, import_.state),
                (1, 1, 'done'))
            reject, = import_.rejects
            self.assertEqual(reject.field, "Baz")
            mapping, = Mapping.search([])
            self.assertEqual(mapping.name, "Of the trade fair")

            # The same headings in another file
            data = "foo,bar;BAZ\nC;3105551235\n".encode()
            wizard = open_wizard()
            columns = fill(wizard)
            self.assertEqual(
                [c['column'] for c in columns], ['name', 'mobile'])
            self.assertEqual(wizard.preview.name, "Of the trade fair")
        with set_company(self.setUpCompany("Other")):
            self.assertFalse(Mapping.find(["Foo,Bar", "Baz"]))

    @with_transaction()
    def test_check(self):
        "Test that a check counts as the import and keeps nothing"
        pool = Pool()
        BusinessUnit = pool.get('sale.business_unit')
        ContactImport = pool.get('party.contact.import')
        ImportContacts = pool.get('party.import_contacts', type='wizard')
        Column = pool.get('party.import_contacts.column')
        Mapping = pool.get('party.contact.import.mapping')
        Party = pool.get('party.party')
        Queue = pool.get('ir.queue')
        Row = pool.get('party.contact.import.row')
        Tracking = pool.get('sale.tracking')
        User = pool.get('res.user')
        company = self.setUpCompany()
        User.write([User(1)], {'companies': [('add', [company.id])]})
        models = [
            ContactImport, Mapping, Party, Queue, Row, Tracking,
            pool.get('party.contact'), pool.get('party.address')]

        def count():
            return [m.search([], count=True) for m in models]

        with set_company(company):
            unit, = BusinessUnit.search([], limit=1)
            ContactImport.import_rows([{'line': 2, 'name': "Known"}])
            data = "Name;Mobile;Contact\n".encode() + ''.join([
                    "Known;;\n", "New;3105551234;Ana\n",
                    "New;3105551234;Luis\n", "Wrong;12;\n",
                    "Other;3105551234;\n"]).encode()
            session_id, _, _ = ImportContacts.create()
            wizard = ImportContacts(session_id)
            wizard.start.company = company
            wizard.start.file = data
            wizard.start.file_name = "check.csv"
            wizard.start.duplicates = 'skip'
            wizard.start.shared = 'new'
            wizard.start.trackings = True
            wizard.start.business_unit = unit
            values = wizard.default_preview([])
            wizard.preview.columns = [
                Column(**c) for c in values.pop('columns')]
            for name, value in values.items():
                setattr(wizard.preview, name, value)
            wizard.preview.name = "Checked"
            before = count()
            checked = wizard.default_check([])
            self.assertEqual(count(), before)
            self.assertEqual(checked, wizard.default_check([]))
            self.assertEqual(checked['size'], 5)
            self.assertEqual(
                sum(checked[n] for n in [
                        'created', 'merged', 'updated', 'matched',
                        'rejected']), 5)
            self.assertEqual(
                [(r['line'], r['outcome']) for r in checked['rows']], [
                    (2, 'matched'), (3, 'created'), (4, 'merged'),
                    (5, 'rejected'), (6, 'created')])
            self.assertEqual([r['line'] for r in checked['rejects']], [5])
            self.assertIn(2, [r['line'] for r in checked['duplicates']])
            self.assertIn(6, [r['line'] for r in checked['duplicates']])
            self.assertTrue(checked['rows'][0]['party'])
            self.assertIsNone(checked['rows'][1]['party'])
            wizard.transition_import_()
            import_ = ContactImport(wizard.preview.contact_import.id)
            for name in [
                    'created', 'merged', 'updated', 'matched', 'rejected',
                    'persons', 'trackings_created']:
                with self.subTest(name=name):
                    self.assertEqual(getattr(import_, name), checked[name])
            user, = User.create([{'name': "Olga", 'login': 'olga'}])
            with Transaction().set_user(user.id), \
                    self.assertRaises(AccessError):
                wizard.default_check([])

    @with_transaction()
    def test_preview_access(self):
        "Test that only who may import sees a preview"
        pool = Pool()
        ImportContacts = pool.get('party.import_contacts', type='wizard')
        User = pool.get('res.user')
        user, = User.create([{'name': "Olga", 'login': 'olga'}])
        with set_company(self.setUpCompany()):
            session_id, _, _ = ImportContacts.create()
            wizard = ImportContacts(session_id)
            wizard.start.file = b'Name;City\nA;B\n'
            with Transaction().set_user(user.id), \
                    self.assertRaises(AccessError):
                wizard.default_preview([])

    @with_transaction()
    def test_merged(self):
        "Test that a merged customer is the one it was merged into"
        pool = Pool()
        Party = pool.get('party.party')
        with set_company(self.setUpCompany()):
            self.import_("A;\nB;\n", "Name;City")
            a, b = self.get_party("A"), self.get_party("B")
            Party.write([a], {'replaced_by': b.id, 'active': False})
            self.assertEqual(self.import_("A;3105551234", "Name;Mobile",
                    duplicates='update'), {'updated': 1})
            self.assertEqual(len(b.contact_mechanisms), 1)

    @with_transaction()
    def test_inactive(self):
        "Test that an inactive customer is neither changed nor made again"
        pool = Pool()
        Party = pool.get('party.party')
        with set_company(self.setUpCompany()):
            self.import_("A;3105551234", "Name;Mobile")
            party = self.get_party("A")
            Party.write([party], {'active': False})
            for duplicates in ['skip', 'update']:
                self.assertEqual(self.import_(
                        "A;3105551234;x@example.com", "Name;Mobile;Email",
                        duplicates=duplicates), {'matched': 1})

    @with_transaction()
    def test_run_twice(self):
        "Test that nothing is created twice"
        pool = Pool()
        BusinessUnit = pool.get('sale.business_unit')
        unit, = BusinessUnit.search([], limit=1)
        text = (
            "A S.A.S.;Bogotá;800197268-4;3105551234;Ana;320 555 1234;4\n"
            "A S.A.S.;Bogotá;;;Luis;;\n"
            "B;;;;;;\n"
            "C;Cali;;600;Eva;;\n")
        headings = "Name;City;NIT;Mobile;Contact;Contact Phone;Rating"
        options = {'trackings': True, 'business_unit': unit.id}
        with set_company(self.setUpCompany()):
            result = self.import_(text, headings, **options)
            self.assertEqual(
                (result['created'], result['persons'], result['trackings'],
                    result['rejected']), (2, 2, 2, 1))
            counts = self.count()
            for duplicates in ['skip', 'update']:
                result = self.import_(
                    text, headings, duplicates=duplicates, **options)
                del result['rejects']
                self.assertEqual(result, {'matched': 3, 'rejected': 1})
                self.assertEqual(self.count(), counts)
            result = self.import_(
                text, headings, duplicates='new', **options)
            self.assertEqual(result['created'], 2)

    def count(self):
        pool = Pool()
        return [
            pool.get(name).search([], count=True) for name in [
                'party.party', 'party.address', 'party.contact_mechanism',
                'party.contact', 'party.identifier', 'party.typification',
                'sale.tracking']]

    @with_transaction()
    def test_update(self):
        "Test that an update adds and never changes"
        pool = Pool()
        BusinessUnit = pool.get('sale.business_unit')
        Tracking = pool.get('sale.tracking')
        optics, brigade, *_ = BusinessUnit.search([])
        with set_company(self.setUpCompany()):
            headings = (
                "Name;Identifier;Street;City;Mobile;Contact;Job Title;"
                "Contact Mobile;Rating;Comment;Business Unit")
            self.import_(
                "A;;;Bogotá;3105551234;Ana;;;;;Optics\n"
                "B;;Old street;Bogotá;;Eva;Boss;;2;Old;\n", headings,
                trackings=True, business_unit=brigade.id)
            result = self.import_(
                "A;800197268-4;New street;Bogotá;310 555 1234;Ana;Boss;"
                "3205551234;5;Hello;Optics\n"
                "A;;;Bogotá;;Luis;;;;;Brigade\n"
                "B;;New street;Bogotá;;eva;Clerk;;4;New;Brigade\n",
                headings, trackings=True, duplicates='update')
            self.assertEqual(result, {
                    'updated': 1, 'merged': 1, 'matched': 1, 'persons': 1,
                    'trackings': 1})
            a, b = self.get_party("A"), self.get_party("B")
            self.assertEqual(
                [i.code for i in a.identifiers], ['800.197.268-4'])
            self.assertEqual(
                [(x.street, x.city) for x in a.addresses],
                [("New street", "Bogotá")])
            self.assertEqual(
                [c.rec_name for c in a.contacts], ["Ana (Boss)", "Luis"])
            self.assertEqual(
                [(m.value_compact, m.contact and m.contact.name)
                    for m in a.contact_mechanisms],
                [('+573105551234', None), ('+573205551234', "Ana")])
            self.assertEqual((a.rating, a.rating_comment), ('5', "Hello"))
            self.assertEqual({
                    t.business_unit for t in Tracking.search([
                            ('party', '=', a.id)])}, {optics, brigade})
            self.assertEqual(
                [x.street for x in b.addresses], ["Old street"])
            self.assertEqual(
                [c.rec_name for c in b.contacts], ["Eva (Boss)"])
            self.assertEqual((b.rating, b.rating_comment), ('2', "Old"))

    @with_transaction()
    def test_correct_rejects(self):
        "Test that a corrected row comes to its company"
        with set_company(self.setUpCompany()):
            headings = "Name;City;Contact;Contact Mobile"
            result = self.import_(
                "A;Cali;Ana;3105551234\nA;Cali;Luis;12\n", headings)
            party = self.get_party("A")
            reject, = result['rejects']
            self.assertEqual(reject['line'], 3)
            self.assertEqual(reject['customer'], party.code)
            for result in [{'updated': 1, 'persons': 1}, {'matched': 1}]:
                self.assertEqual(self.import_(
                        f"A;Cali;Luis;3105551235;{party.code}",
                        f"{headings};Customer Code"), result)
            self.assertEqual(
                [c.name for c in party.contacts], ["Ana", "Luis"])
            result = self.import_(
                "A;Cali;Luis;3105551235;XX", f"{headings};Customer Code")
            self.assertEqual(result['rejects'][0]['fields'], ['customer'])

    @with_transaction()
    def test_companies(self):
        "Test that the typification and trackings are of the company"
        pool = Pool()
        BusinessUnit = pool.get('sale.business_unit')
        Tracking = pool.get('sale.tracking')
        first = self.setUpCompany("First")
        second = self.setUpCompany("Second")
        unit, = BusinessUnit.create([{
                    'name': "Private", 'company': first.id}])
        text, headings = "A;Bogotá;4;Private", "Name;City;Rating;Business Unit"
        options = {'trackings': True, 'duplicates': 'update'}
        with set_company(first):
            self.assertEqual(
                self.import_(text, headings, **options),
                {'created': 1, 'trackings': 1})
        with set_company(second):
            # The units of others do not exist
            result = self.import_(text, headings, **options)
            self.assertEqual(
                result['rejects'][0]['fields'], ['business_unit'])
            with self.assertRaises(AccessError):
                self.import_(
                    text, headings, trackings=True, business_unit=unit.id)
            self.assertEqual(
                self.import_("A;Bogotá;2;Optics", headings, **options),
                {'updated': 1, 'trackings': 1})
            self.assertEqual(self.get_party("A").rating, '2')
        with set_company(first):
            self.assertEqual(self.get_party("A").rating, '4')
        self.assertEqual(
            {t.company for t in Tracking.search([])}, {first, second})

    @with_transaction()
    def test_access(self):
        "Test that only an administrator imports"
        pool = Pool()
        Group = pool.get('res.group')
        User = pool.get('res.user')
        ContactImport = pool.get('party.contact.import')
        company = self.setUpCompany()
        other = self.setUpCompany("Other")
        for name, allowed in [
                ("Sale Tracking", False),
                ("Sale Tracking Channel Manager", False),
                ("Sale Tracking Administration", True)]:
            group, = Group.search([('name', '=', name)])
            user, = User.create([{
                        'name': name, 'login': name,
                        'groups': [('add', [group.id])],
                        'companies': [('add', [company.id])],
                        'company': company.id,
                        }])
            for company_id, expected in [
                    (company.id, allowed), (other.id, False),
                    (None, False)]:
                with self.subTest(name=name, company=company_id), \
                        Transaction().set_user(user.id), \
                        Transaction().set_context(company=company_id), \
                        check_access():
                    if expected:
                        self.assertEqual(
                            self.import_("A;Cali", "Name;City")['created'],
                            1)
                        self.assertEqual(ContactImport.search([]), [])
                    else:
                        with self.assertRaises(AccessError):
                            self.import_("A;Cali", "Name;City")

    @with_transaction()
    def test_dry_run(self):
        "Test that a dry run keeps nothing"
        pool = Pool()
        Party = pool.get('party.party')
        with set_company(self.setUpCompany()):
            number = Party.search([], count=True)
            result = self.import_(
                "A;3105551234\nB;12\n", "Name;Mobile", dry_run=True)
            self.assertEqual((result['created'], result['rejected']), (1, 1))
            self.assertEqual(Party.search([], count=True), number)

    @with_transaction()
    def test_killed(self):
        "Test that an import that was stopped ends complete"
        pool = Pool()
        ContactImport = pool.get('party.contact.import')
        Party = pool.get('party.party')
        User = pool.get('res.user')
        company = self.setUpCompany()
        User.write([User(1)], {'companies': [('add', [company.id])]})
        lines = [f"Company {i};318555{i:04};Ana" for i in range(35)]
        lines[3] = lines[30] = "Same;;"
        lines[12] = "Bad;12;"
        data = ("Name;Mobile;Contact\n" + '\n'.join(lines)).encode()
        chunks = ContactFile.chunks
        run = Importer.run

        def small(self, size=10):
            return chunks(self, size)

        for duplicates in ['skip', 'new']:
            number = Party.search([], count=True)
            import_, = ContactImport.create([{
                        'company': company.id,
                        'user': 1,
                        'file': data,
                        'file_name': "contacts.csv",
                        'headings': json.dumps(["Name", "Mobile", "Contact"]),
                        'size': 35,
                        'duplicates': duplicates,
                        }])
            calls = []

            def killed(self):
                calls.append(self)
                if len(calls) == 3:
                    raise KeyboardInterrupt
                return run(self)

            with patch.object(ContactFile, 'chunks', small):
                with patch.object(Importer, 'run', killed), \
                        self.assertRaises(KeyboardInterrupt):
                    ContactImport.process([import_])
                import_ = ContactImport(import_.id)
                self.assertEqual(import_.state, 'running')
                self.assertEqual(import_.position, 20)
                self.assertEqual(
                    Party.search([], count=True), number + 19)
                ContactImport.process([import_])
            import_ = ContactImport(import_.id)
            self.assertEqual(import_.state, 'done')
            self.assertEqual(import_.progress, 1)
            self.assertEqual(Party.search([], count=True), number + 33)
            self.assertEqual(
                (import_.created, import_.rejected), (33, 1))
            reject, = import_.rejects
            self.assertEqual((reject.line, reject.field), (14, "Mobile"))
            self.assertTrue(reject.reason)
            self.assertIsNone(import_.file)
            rows = read(import_.rejects_file)
            self.assertEqual(rows, [({'name': "Bad", 'mobile': '12'}, [])])
            ContactImport.process([import_])
            self.assertEqual(Party.search([], count=True), number + 33)
            # The second time the customers exist as another import's
            data = data.replace(b'Company', b'Other').replace(
                b'318555', b'319555').replace(b'Same', b'Equal')

    @with_transaction()
    def test_resume_dead(self):
        "Test that the import of a dead worker is taken up by its user"
        pool = Pool()
        ContactImport = pool.get('party.contact.import')
        ModelData = pool.get('ir.model.data')
        Party = pool.get('party.party')
        Queue = pool.get('ir.queue')
        User = pool.get('res.user')
        company = self.setUpCompany()
        employee = create_employee(company, "Administrator")
        user, = User.create([{
                    'name': "Administrator",
                    'login': 'administrator',
                    'companies': [('add', [company.id])],
                    'company': company.id,
                    'employees': [('add', [employee.id])],
                    'employee': employee.id,
                    'groups': [('add', [ModelData.get_id(
                                    'sale_opportunity_management',
                                    'group_tracking_admin')])],
                    }])
        table = ContactImport.__table__()
        cursor = Transaction().connection.cursor()
        values = {
            'company': company.id,
            'user': user.id,
            'file': b"Name;Mobile\nOptics;3185550001",
            'file_name': "contacts.csv",
            'headings': json.dumps(["Name", "Mobile"]),
            'size': 1,
            'duplicates': 'skip',
            }
        dead, alive, script, done = ContactImport.create([
                values,
                values,
                {**values, 'file': None, 'state': 'running'},
                {**values, 'state': 'done'},
                ])
        cursor.execute(*table.update(
                [table.create_date],
                [dt.datetime.now() - dt.timedelta(hours=1)],
                where=table.id.in_([dead.id, script.id, done.id])))
        ContactImport.resume_dead()
        task, = Queue.search([('finished_at', '=', None)])
        self.assertEqual(list(task.data['instances']), [dead.id])
        with patch.object(Transaction, 'commit'):
            task.run()
        self.assertEqual(ContactImport(dead.id).state, 'done')
        self.assertEqual(ContactImport(alive.id).state, 'waiting')
        party, = Party.search([('name', '=', "Optics")])
        # With the rights of who began it
        self.assertEqual(party.create_uid, user)

    @with_transaction()
    def test_identifiers(self):
        "Test tax identifiers by type and country"
        with set_company(self.setUpCompany()):
            for i, (heading, type_, code, country, expected) in enumerate([
                        ("NIT", "", '800.197.268-4', "", 'co_vat 8001972684'),
                        ("NIT", "", '800197268', "", 'co_vat 8001972684'),
                        ("NIT", "", '8001972684', "", 'co_vat 8001972684'),
                        ("NIT", "", '52123456', "", 'co_vat 521234562'),
                        ("NIT", "", '800197268-5', "", None),
                        ("Cédula", "", '52123456', "", 'None 52123456'),
                        ("NIT/CC", "", '52123456', "", 'None 52123456'),
                        ("NIT/CC", "", '800197268', "", 'co_vat 8001972684'),
                        ("Identifier", "", '1020304050', "",
                            'None 1020304050'),
                        ("Identifier", "CC", '52123456', "", 'None 52123456'),
                        ("Identifier", "Pasaporte", 'AB123', "",
                            'None AB123'),
                        ("Identifier", "31", '800197268', "",
                            'co_vat 8001972684'),
                        ("CIF/NIF", "", 'B-12.345.674', "ES",
                            'es_vat B12345674'),
                        ("NIF", "", '12.345.678-Z', "ES",
                            'es_vat 12345678Z'),
                        ("NIF", "", '12345678A', "ES", None),
                        ]):
                with self.subTest(heading=heading, type=type_, code=code):
                    result = self.import_(
                        f"N{i};{type_};{code};{country}",
                        f"Name;Identifier Type;{heading};Country",
                        duplicates='new')
                    if expected is None:
                        self.assertEqual(
                            result['rejects'][0]['fields'], ['identifier'])
                        continue
                    identifier, = self.get_party(f"N{i}").identifiers
                    self.assertEqual(
                        f'{identifier.type} {identifier.code_compact}',
                        expected)

    @with_transaction()
    def test_subdivisions(self):
        "Test departments as people write them"
        pool = Pool()
        Country = pool.get('country.country')
        Subdivision = pool.get('country.subdivision')
        company = self.setUpCompany()
        colombia, = Country.search([('code', '=', 'CO')])
        Subdivision.create([{
                    'name': name, 'code': code, 'country': colombia.id,
                    'type': 'department',
                    } for code, name in [
                    ('CO-VAC', "Valle del Cauca"), ('CO-CAU', "Cauca"),
                    ('CO-NSA', "Norte de Santander"),
                    ('CO-SAN', "Santander")]])
        with set_company(company):
            for i, (text, code) in enumerate([
                        ("Valle", 'CO-VAC'), ("valle cauca", 'CO-VAC'),
                        ("Cali (Valle)", 'CO-VAC'), ("Cauca", 'CO-CAU'),
                        ("Norte Santander", 'CO-NSA'),
                        ("SANTANDER", 'CO-SAN'), ("Bogotá D.C.", 'CO-DC'),
                        ("Bogota, D. C.", 'CO-DC'),
                        ("DISTRITO CAPITAL", 'CO-DC'),
                        ("Departamento de Antioquia", 'CO-ANT')]):
                with self.subTest(text=text):
                    self.assertEqual(
                        self.import_(f"D{i};{text}", "Name;Departamento"),
                        {'created': 1})
                    address, = self.get_party(f"D{i}").addresses
                    self.assertEqual(address.subdivision.code, code)

    @with_transaction()
    def test_undo(self):
        "Test that what was not used since is undone"
        pool = Pool()
        BusinessUnit = pool.get('sale.business_unit')
        Call = pool.get('sale.call')
        ContactImport = pool.get('party.contact.import')
        Duplicate = pool.get('party.duplicate')
        Party = pool.get('party.party')
        Row = pool.get('party.contact.import.row')
        Tracking = pool.get('sale.tracking')
        User = pool.get('res.user')
        company = self.setUpCompany()
        User.write([User(1)], {'companies': [('add', [company.id])]})
        unit, = BusinessUnit.search([], limit=1)
        headings = "Name;City;Mobile;Email;Contact;Comment"
        with set_company(company):
            self.import_("Old;Cali;3105551230;;;\nUsed;Cali;;;;\n", headings)
            old, used = self.get_party("Old"), self.get_party("Used")
            before = self.count()
            import_, = ContactImport.create([{
                        'file_name': "contacts.csv",
                        'file': (
                            f"{headings}\n"
                            "A;Cali;3105551234;;Ana;Hello\n"
                            "A;Cali;;;Luis;\n"
                            "B;Cali;3105551235;b@example.com;;\n"
                            "C;;;c@example.com;;\n"
                            "Old;Cali;;old@example.com;Eva;Hello\n"
                            "Used;Cali;;used@example.com;;Hello\n"
                            ).encode(),
                        'headings': json.dumps(headings.split(';')),
                        'duplicates': 'update',
                        'trackings': True,
                        'business_unit': unit.id,
                        }])
            import_.run()
            self.assertEqual((import_.created, import_.updated), (3, 2))
            self.assertEqual(Party.search([
                        ('contact_import', '=', import_.id),
                        ], count=True), 5)
            b = self.get_party("B")
            self.assertEqual(b.contact_import, import_)
            # What only resembles another is not used
            Duplicate.create([{
                        'party': old.id,
                        'other': self.get_party("C").id,
                        'score': 50,
                        }])
            tracking, = Tracking.search([('party', '=', b.id)])
            Call.create([{
                        'tracking': tracking.id, 'party': b.id,
                        'description': "Used",
                        'planned_date': dt.datetime(2040, 1, 5, 12),
                        }])
            Party.write([self.get_party("C")], {'name': "Changed"})
            # What was entered since is not of the import
            used.rating_comment = "Mine"
            used.save()

            for _ in range(2):
                ContactImport.undo([import_])
                with patch.object(Transaction, 'commit'):
                    ContactImport.process_undo([import_])
                import_ = ContactImport(import_.id)
                self.assertEqual(import_.state, 'undone')
                self.assertEqual([
                        (r.name, r.undone, r.kept) for r in Row.search([
                                ('contact_import', '=', import_.id),
                                ('records', '!=', None),
                                ], order=[('line', 'ASC')])], [
                        ("A", 'undone', None),
                        ("B", 'kept', "Sale Call, Sale Tracking"),
                        ("C", 'kept', "Party"),
                        ("Old", 'undone', None),
                        ("Used", 'kept', "Party Typification"),
                        ])
                self.assertFalse(Party.search([('name', '=', "A")]))
                self.assertEqual(len(old.contact_mechanisms), 1)
                self.assertFalse(old.contacts)
                self.assertFalse(Tracking.search([('party', '=', old.id)]))
                self.assertEqual(used.rating_comment, "Mine")
                self.assertEqual(self.count()[0], before[0] + 2)

    @with_transaction()
    def test_erase(self):
        "Test that the name to compare is erased"
        pool = Pool()
        Erase = pool.get('party.erase', type='wizard')
        Party = pool.get('party.party')
        with set_company(self.setUpCompany()):
            self.import_("Secret", "Name")
            party = self.get_party("Secret")
            Party.write([party], {'active': False})
            session_id, _, _ = Erase.create()
            erase = Erase(session_id)
            erase.ask.party = party
            erase.transition_erase()
            cursor = Transaction().connection.cursor()
            table = Party.__table__()
            cursor.execute(*table.select(
                    table.name, table.name_compact,
                    where=table.id == party.id))
            self.assertEqual(cursor.fetchone(), (None, None))

    @with_transaction()
    def test_erase_rejects(self):
        "Test that the rejected rows of who is erased are"
        pool = Pool()
        ContactImport = pool.get('party.contact.import')
        Erase = pool.get('party.erase', type='wizard')
        Party = pool.get('party.party')
        company = self.setUpCompany()
        headings = ["Name", "NIT", "Mobile", "Email", "Contact"]
        with set_company(company):
            self.import_(
                "Óptica Andina S.A.S.;800197268-4;3105551234;"
                "Info@andina.example.com;Ana Peña\n"
                "Other;;3105559999;;\n", ';'.join(headings))
            party = self.get_party("Óptica Andina S.A.S.")
            kept = [
                ["Other", "", "310 555 9999 x", "", "Ana"],
                ["Andina", "", "12", "andina.example.com", ""],
                ]
            erased = [
                ["OPTICA ANDINA", "", "12", "", ""],
                ["The Óptica Andina (Cali)", "", "12", "", ""],
                ["", "800.197.268-4", "", "", ""],
                ["X", "", "(310) 555-1234/12", "", ""],
                ["X", "", "+57 3105551234 ó 12", "", ""],
                ["X", "", "12", "<info@ANDINA.example.com>", ""],
                ["X", "", "12", "", "ana pena"],
                ]
            rows = [(cells, None) for cells in kept + erased]
            rows.append((["X", "", "", "", ""], party.code))
            import_, = ContactImport.create([{
                        'company': company.id,
                        'user': 1,
                        'headings': json.dumps(headings),
                        'state': 'done',
                        'duplicates': 'skip',
                        'rejected': len(rows),
                        'rejects': [('create', [{
                                        'line': i,
                                        'cells': json.dumps(cells),
                                        'columns': '["mobile"]',
                                        'outcome': 'rejected',
                                        'reason': f"It is {cells[2]}",
                                        'customer': customer,
                                        } for i, (cells, customer)
                                    in enumerate(rows)])],
                        }])
            Party.write([party], {'active': False})
            session_id, _, _ = Erase.create()
            erase = Erase(session_id)
            erase.ask.party = party
            erase.transition_erase()

            import_ = ContactImport(import_.id)
            self.assertEqual(
                [json.loads(r.cells) for r in import_.rejects if r.cells],
                kept)
            self.assertEqual(
                [r.reason for r in import_.rejects if r.reason],
                ["It is 310 555 9999 x", "It is 12"])
            self.assertFalse(any(r.customer for r in import_.rejects))
            self.assertEqual(
                [r['name'] for r in read_rows(import_.rejects_file)],
                ["Other", "Andina"])
