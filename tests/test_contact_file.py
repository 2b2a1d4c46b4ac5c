# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import csv
import io
import unittest
import zipfile

from trytond.modules.sale_opportunity_management.importing.exceptions import (
    FileError)
from trytond.modules.sale_opportunity_management.importing.file import (
    ContactFile, Rejects, escape, get_letters, unescape)

try:
    import openpyxl
except ImportError:
    openpyxl = None

try:
    import python_calamine
except ImportError:
    python_calamine = None


def read(data, **options):
    "Return the file and its rows as dictionaries and names of errors"
    if isinstance(data, str):
        data = data.encode()
    contacts = ContactFile(io.BytesIO(data), **options)
    return contacts, [
        (row, [e.name for e in errors])
        for _, _, row, errors in contacts.rows()]


def get_ods(rows):
    cells = ''.join(
        '<table:table-row>' + ''.join(
            '<table:table-cell office:value-type="string">'
            f'<text:p>{cell}</text:p></table:table-cell>' for cell in row)
        + '</table:table-row>' for row in rows)
    file = io.BytesIO()
    with zipfile.ZipFile(file, 'w') as archive:
        archive.writestr(
            'mimetype', 'application/vnd.oasis.opendocument.spreadsheet')
        archive.writestr(
            'META-INF/manifest.xml',
            '<?xml version="1.0"?><manifest:manifest xmlns:manifest='
            '"urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>')
        archive.writestr(
            'content.xml',
            '<?xml version="1.0"?><office:document-content xmlns:office='
            '"urn:oasis:names:tc:opendocument:xmlns:office:1.0" xmlns:table='
            '"urn:oasis:names:tc:opendocument:xmlns:table:1.0" xmlns:text='
            '"urn:oasis:names:tc:opendocument:xmlns:text:1.0"><office:body>'
            '<office:spreadsheet><table:table table:name="Contacts">'
            f'{cells}</table:table></office:spreadsheet></office:body>'
            '</office:document-content>')
    return file.getvalue()


class ContactFileDamageTestCase(unittest.TestCase):
    "Test reading files that other programs and people spoiled"

    def test_legacy_encodings(self):
        "Test that the whole file tells its encoding"
        text = "Razón social;Ciudad\n" + ''.join(
            f"Óptica Ñandú {i};Bogotá\nPeñalver y Cía;Medellín\n"
            "Automóviles;Ibagué\n" for i in range(5))
        for encoding in ['cp1252', 'mac_roman', 'cp850']:
            with self.subTest(encoding=encoding):
                contacts, rows = read(text.encode(encoding))
                self.assertEqual(contacts.encoding, encoding)
                self.assertEqual(
                    rows[0][0], {'name': "Óptica Ñandú 0", 'city': "Bogotá"})
                self.assertEqual(rows[-1][0]['city'], "Ibagué")

    def test_chosen_encoding(self):
        "Test that the encoding can be chosen"
        data = "Name;City\nPeña;Cali\n".encode('mac_roman')
        _, rows = read(data, encoding='mac_roman')
        self.assertEqual(rows[0][0]['name'], "Peña")
        with self.assertRaises(FileError):
            read(data, encoding='unknown')

    def test_cut_character(self):
        "Test that a character that is cut leaves the others as they are"
        data = "Name;City\nÓptica;Bogotá\nÑandú Óptica;Cali\n".encode()
        data = data.replace("Ñandú Ó".encode(), "Ñandú Ó".encode()[:-1])
        _, rows = read(data)
        self.assertTrue(rows[1][0]['name'].startswith("Ñandú "))
        self.assertTrue(rows[1][0]['name'].endswith("ptica"))
        self.assertEqual(rows[0][0]['city'], "Bogotá")

    def test_characters(self):
        "Test that names are composed and without what is not seen"
        _, rows = read(
            "Name;City\n\u200bO\u0301ptica\u00ad\uffff Sur;Bogota\u0301\n")
        self.assertEqual(
            rows, [({'name': "Óptica Sur", 'city': "Bogotá"}, [])])

    def test_too_many_cells(self):
        "Test that a row with more cells than headings is refused"
        _, rows = read("Name;City;Phone\nA;B;1;x\nC;D;2;;\n")
        self.assertEqual(
            [errors for _, errors in rows], [['msg_contact_file_cells'], []])

    def test_swallowed_rows(self):
        "Test that a quote that is left open takes no other row"
        for data in [
                'Name;City;Phone\n"A;B;1\nC;"D";2\nE;F;3\n',
                'Name;City;Phone\n"A;B;1\nC;D;2\nE;F";3\n',
                'Name;City;Phone\nA;"B;1\nC;D;2\nE;F";3\n',
                ]:
            with self.subTest(data=data):
                _, rows = read(data)
                self.assertEqual(len(rows), 3)
                self.assertEqual(rows[0][1], ['msg_contact_file_quote'])
                self.assertEqual(rows[1][0]['name'], "C")
                self.assertEqual(rows[1][1], [])

    def test_torn_rows(self):
        "Test that both parts of a torn row are refused"
        whole = "X;Y;\n" * 20
        for torn in ["Optica\nAndina;C;2\n", "Andina;Ca\nli;2\n"]:
            with self.subTest(torn=torn):
                _, rows = read(f"Name;City;Phone\n{whole}{torn}D;E;3\nF\n")
                self.assertEqual([errors for _, errors in rows[20:]], [
                        ['msg_contact_file_torn'], ['msg_contact_file_torn'],
                        [], []])
        # Rows without their last cells are not torn
        _, rows = read("Name;City;Phone\nA\nB;C\nD\nE;F\nG;H;1\n")
        self.assertFalse(any(errors for _, errors in rows))

    def test_large_cell(self):
        "Test that a large cell is refused but kept"
        contacts = ContactFile(io.BytesIO(
                b'Name;Notes\nA;' + b'x' * 200_000 + b'\n'))
        rows = list(contacts.rows())
        file = io.StringIO(newline='')
        Rejects(
            file, contacts.headings, contacts.columns,
            contacts.delimiter).write_rows(rows, [{
                    'line': 2, 'fields': ['comment'], 'reason': "It is long",
                    'customer': None,
                    }])
        self.assertEqual(file.getvalue().count('x'), 200_000)

    def test_escape_spaces(self):
        "Test that spaces before a formula do not hide it"
        for text in ['\n=1', ' =1', '\xa0=1', '\x0b=1', ' \'=1', '\t=1']:
            with self.subTest(text=text):
                escaped = escape(text)
                self.assertTrue(escaped.startswith("'"))
                self.assertEqual(unescape(escaped), text)

    def test_joined(self):
        "Test what several columns tell of one thing"
        for headings, cells, row in [
                ("First Name;Last Name", "Ana;Gómez", {'name': "Ana Gómez"}),
                ("First Name;Last Name;Company", "Ana;Gómez;Andina", {
                        'name': "Andina", 'contact_name': "Ana Gómez"}),
                ("Name;NIT;DV", "A;800197268;4", {
                        'name': "A", 'identifier': '800197268-4'}),
                ("Name;NIT;DV", "A;800.197.268-4;4", {
                        'name': "A", 'identifier': '800.197.268-4'}),
                ("Contact;Company", "Ana;", {'name': "Ana"}),
                ]:
            with self.subTest(headings=headings, cells=cells):
                _, rows = read(f"{headings}\n{cells}\n")
                self.assertEqual(rows, [(row, [])])

    def test_options(self):
        "Test that what was guessed can be told"
        data = "Some;title\nFoo,Bar;X\nA,B;C\n"
        with self.assertRaises(FileError):
            read(data)
        contacts, _ = read(data, strict=False)
        self.assertEqual(contacts.columns, [None, None])
        contacts, rows = read(
            data, heading_line=2, delimiter=';', columns=['city', 'name'])
        self.assertEqual(contacts.headings, ["Foo,Bar", "X"])
        self.assertEqual(contacts.examples, [["A,B"], ["C"]])
        self.assertEqual(rows, [({'city': "A,B", 'name': "C"}, [])])

    def test_width(self):
        "Test that a file of too many columns is refused"
        with self.assertRaises(FileError) as cm:
            read("Name" + ';x' * 20_000)
        self.assertEqual(cm.exception.name, 'msg_contact_file_columns')

    def test_letters(self):
        "Test how columns are called"
        self.assertEqual(
            [get_letters(i) for i in [0, 25, 26, 701, 702]],
            ['A', 'Z', 'AA', 'ZZ', 'AAA'])

    def test_groups(self):
        "Test that the rows of a large company stay together"
        contacts = ContactFile(io.BytesIO(
                b'Name;Phone\nB;1\n' + b'A;2\n' * 1500 + b'C;3\n'))
        self.assertIn(1500, [
                sum(row['name'] == "A" for _, _, row, _ in chunk)
                for chunk in contacts.chunks(100)])


@unittest.skipUnless(python_calamine, "python-calamine is missing")
class ContactSpreadsheetTestCase(unittest.TestCase):
    "Test reading spreadsheets"

    def test_ods(self):
        "Test an OpenDocument spreadsheet"
        contacts, rows = read(get_ods([
                    ["Name", "Phone"], ["Óptica", "3105551234"]]))
        self.assertEqual(
            rows, [({'name': "Óptica", 'phone': '3105551234'}, [])])
        self.assertEqual(contacts.sheets, ["Contacts"])

    def test_damaged(self):
        "Test that a damaged spreadsheet has a clear reason"
        data = get_ods([["Name"], ["A"]])
        for damaged in [data[:-30], data[:200] + b'x' * 50 + data[250:]]:
            with self.assertRaises(FileError):
                read(damaged)

    def test_bomb(self):
        "Test that nothing is unpacked that is no spreadsheet of contacts"
        file = io.BytesIO()
        with zipfile.ZipFile(file, 'w', zipfile.ZIP_DEFLATED) as archive:
            archive.writestr('xl/workbook.xml', b' ' * (50 << 20))
        with self.assertRaises(FileError) as cm:
            read(file.getvalue())
        self.assertEqual(cm.exception.name, 'msg_contact_file_size')
        file = io.BytesIO()
        with zipfile.ZipFile(file, 'w', zipfile.ZIP_DEFLATED) as archive:
            archive.writestr('xl/sharedStrings.xml', ''.join(
                    f'<si><t>{i}</t></si>' for i in range(500_000)))
        with self.assertRaises(FileError) as cm:
            read(file.getvalue())
        self.assertEqual(cm.exception.name, 'msg_contact_file_size')

    @unittest.skipUnless(openpyxl, "openpyxl is missing")
    def test_sheets(self):
        "Test the other sheets and the columns without heading"
        book = openpyxl.Workbook()
        book.active.append(["Name", "City"])
        book.active.append(["A", "B", "x"])
        # What has only a format is no row
        book.active.cell(5000, 1).number_format = '0.00'
        other = book.create_sheet("Other")
        other.append(["Nombre"])
        other.append(["C"])
        book.create_sheet("Empty")
        file = io.BytesIO()
        book.save(file)
        contacts, rows = read(file.getvalue())
        self.assertEqual(contacts.other_sheets, ["Other"])
        self.assertEqual(contacts.unknown, ["C"])
        self.assertEqual(rows, [({'name': "A", 'city': "B"}, [])])
        self.assertEqual(len(list(contacts)), 1)
        contacts, rows = read(file.getvalue(), sheet="Other")
        self.assertEqual(rows, [({'name': "C"}, [])])

    def test_rejects(self):
        "Test that the rejects open in columns with a double click"
        for headings, delimiter in [
                (["Name"], ','), (["Razón social"], ';')]:
            file = io.StringIO(newline='')
            Rejects(file, headings)
            row, = csv.reader([file.getvalue()], delimiter=delimiter)
            self.assertGreater(len(row), 4)
