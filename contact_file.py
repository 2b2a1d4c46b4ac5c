# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.
"""Read files of contacts, as spreadsheets and people leave them.

It needs no database so that a script can use it far from the server."""

import codecs
import csv
import datetime as dt
import re
import unicodedata
import zipfile
from array import array
from collections import defaultdict
from decimal import Decimal
from itertools import chain

# The first headings, English and Spanish, are those of the template
COLUMNS = {
    'name': (
        "Name", "Razón social", "Nombre", "Empresa", "Compañía", "Cliente",
        "Tercero", "Company", "Company Name", "Customer", "Party"),
    'identifier_type': (
        "Identifier Type", "Tipo de identificador", "Tipo identificador",
        "Tipo de documento", "Tipo documento", "Tipo identificación",
        "Tipo de identificación"),
    'identifier': (
        "Identifier", "Identificador", "Identificación", "NIT", "NIF", "CIF",
        "RUT", "RUC", "RFC", "Tax Identifier", "Tax ID", "VAT", "VAT Number",
        "Identifier Code", "Número de identificación", "Número de documento"),
    'street': (
        "Street", "Dirección", "Calle", "Domicilio", "Address"),
    'postal_code': (
        "Postal Code", "Código postal", "CP", "Zip", "Zip Code"),
    'city': (
        "City", "Ciudad", "Municipio", "Localidad", "Población", "Town"),
    'subdivision': (
        "Subdivision", "Departamento", "Provincia", "Subdivisión", "Estado",
        "Comunidad autónoma", "Región", "State", "Province", "Region",
        "County"),
    'country': ("Country", "País"),
    'phone': (
        "Phone", "Teléfono", "Tel", "Tfno", "Teléfono fijo", "Fijo",
        "Teléfonos", "Phones", "Telephone", "Phone Number"),
    'mobile': (
        "Mobile", "Móvil", "Celular", "Cel", "Móviles", "Celulares",
        "Teléfono móvil", "Teléfono celular", "Cell", "Cell Phone",
        "Mobile Phone", "WhatsApp"),
    'email': (
        "E-Mail", "Correo electrónico", "Email", "Correo", "Mail", "E-Mails",
        "Emails", "Correos", "Correos electrónicos"),
    'website': ("Website", "Sitio web", "Página web", "Web", "URL"),
    'contact_name': (
        "Contact", "Contacto", "Contact Name", "Nombre del contacto",
        "Nombre contacto", "Nombre de contacto", "Persona de contacto",
        "Contact Person", "Person", "Persona"),
    'job_title': (
        "Job Title", "Cargo", "Puesto", "Cargo del contacto",
        "Cargo contacto", "Position"),
    'contact_phone': (
        "Contact Phone", "Teléfono del contacto", "Teléfono contacto",
        "Teléfono de contacto"),
    'contact_mobile': (
        "Contact Mobile", "Celular del contacto", "Celular contacto",
        "Celular de contacto", "Móvil del contacto", "Móvil contacto",
        "Móvil de contacto"),
    'contact_email': (
        "Contact E-Mail", "Correo del contacto", "Contact Email",
        "Correo contacto", "Correo de contacto", "Email contacto",
        "Email del contacto", "Correo electrónico del contacto"),
    'business_unit': ("Business Unit", "Unidad de negocio"),
    'channel': ("Channel", "Canal", "Sucursal", "Branch"),
    'operator': (
        "Operator", "Operador", "Comercial", "Vendedor", "Salesman"),
    'rating': ("Rating", "Valoración", "Tipificación", "Calificación"),
    'comment': (
        "Comment", "Comentario", "Comentarios", "Comments", "Notes", "Notas",
        "Observaciones", "Observación"),
    'customer': (
        "Customer Code", "Código de tercero", "Código del tercero",
        "Código de cliente", "Party Code"),
    }
# What the rejects file has more than the file that was read
REJECT_COLUMNS = {
    'line': ("Line", "Línea"),
    'field': ("Field", "Campo"),
    'reason': ("Reason", "Motivo"),
    }
# The columns that a file may have several times
MULTIPLE = {
    'phone', 'mobile', 'email', 'website', 'contact_phone', 'contact_mobile',
    'contact_email', 'comment', 'street'}
# The columns that a spreadsheet takes for numbers
NUMBERS = {
    'identifier', 'postal_code', 'phone', 'mobile', 'contact_phone',
    'contact_mobile', 'rating', 'customer'}
CELL_SIZE = 100_000
_DELIMITERS = ';,\t|'
_HEADING_LINES = 20
_QUOTED_LINES = 200
_ERRORS = {
    '#DIV/0!', '#N/A', '#NAME?', '#NULL!', '#NUM!', '#REF!', '#VALUE!',
    '#¡DIV/0!', '#¿NOMBRE?', '#¡NUM!', '#¡REF!', '#¡VALOR!', '#N/D',
    '#SPILL!', '#CALC!', '#GETTING_DATA'}
_FORMULA = re.compile(r'=\s*(?:[A-Za-z_.]+\(|[+-]?\$?[A-Za-z]{1,3}\$?\d)')
_TEXT_FORMULA = re.compile(r'="(.*)"', re.DOTALL)
_ESCAPED = re.compile(r"'+[=+\-@\t\r]")
_TO_ESCAPE = re.compile(r"'*[=+\-@\t\r]")
_SCIENTIFIC = re.compile(r'[+-]?(\d)(?:[.,](\d+))?[eE]\+?(\d+)')
_FLOAT = re.compile(r'(\d+)[.,]0+')
_CONTROL = re.compile(r'[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufeff]')


class FileError(Exception):
    "The file as a whole cannot be read: name is the reason"

    def __init__(self, name, text, **variables):
        super().__init__(text % variables)
        self.name = name
        self.variables = variables


class CellError(Exception):
    "A cell cannot be read: name is the reason"

    def __init__(self, name, column=None, **variables):
        super().__init__(name)
        self.name = name
        self.column = column
        self.variables = variables


def normalize_heading(text):
    "Return the heading without case, accents, punctuation and final number"
    text = unicodedata.normalize('NFKD', str(text or ''))
    text = ''.join(c for c in text if not unicodedata.combining(c))
    text = re.sub(r'[\W_]+', ' ', text.lower()).strip()
    text = re.sub(r'^(e) (mails?)', r'\1\2', text)
    text = text.replace(' e mail', ' email')
    return re.sub(r'(?<=\D)\s*\d$', '', text).strip()


_HEADINGS = {
    normalize_heading(heading): column
    for column, headings in chain(COLUMNS.items(), REJECT_COLUMNS.items())
    for heading in headings}
_HEADINGS.update({column.replace('_', ' '): column for column in COLUMNS})


def get_columns(headings):
    "Return the names of what the headings are, None for the unknown ones"
    columns = []
    for heading in headings:
        column = _HEADINGS.get(normalize_heading(heading))
        if column in columns and column not in MULTIPLE:
            column = None
        columns.append(column)
    return columns


def get_language(headings):
    "Return 0 if the headings are in English, 1 if they are in Spanish"
    headings = set(map(normalize_heading, headings))
    english, spanish = (
        len(headings & {normalize_heading(h[i]) for h in COLUMNS.values()})
        for i in range(2))
    return int(spanish > english)


def get_label(headings, columns):
    "Return the headings of these columns"
    return ', '.join(
        h for h, c in zip(headings, get_columns(headings)) if c in columns)


def escape(text):
    "Return the text such that no spreadsheet takes it for a formula"
    text = '' if text is None else str(text)
    return "'" + text if _TO_ESCAPE.match(text) else text


def unescape(text):
    return text[1:] if _ESCAPED.match(text) else text


def clean(column, text):
    """Return the text of a cell as it was before a spreadsheet spoiled it

    Raise CellError when it cannot be known."""
    if len(text) > CELL_SIZE:
        raise CellError('msg_contact_file_cell_size', column, size=CELL_SIZE)
    text = unescape(_CONTROL.sub('', text).replace('\xa0', ' ').strip())
    if not text:
        return text
    if match := _TEXT_FORMULA.fullmatch(text):
        text = match.group(1).replace('""', '"').strip()
    if _FORMULA.match(text):
        raise CellError('msg_contact_file_formula', column, value=text[:50])
    if text.upper() in _ERRORS:
        raise CellError('msg_contact_file_error', column, value=text)
    if column in NUMBERS:
        text = repair_number(column, text.lstrip('='))
    return text


def repair_number(column, text):
    "Return the digits of a number that was written as a float"
    if match := _FLOAT.fullmatch(text):
        return match.group(1)
    if match := _SCIENTIFIC.fullmatch(text):
        integer, decimals, exponent = match.groups()
        decimals = (decimals or '').rstrip('0')
        exponent = int(exponent)
        digits = integer + (match.group(2) or '')
        # The decimals that are not written are lost, not zeros
        if exponent > 20 or len(digits) - 1 < exponent:
            raise CellError(
                'msg_contact_file_digits', column, value=text)
        if len(decimals) <= exponent:
            return digits[:exponent + 1]
    return text


def to_text(value, number_format=None):
    "Return the value of a cell of a spreadsheet as text"
    if value is None:
        return ''
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float):
        if value != value or value in {float('inf'), float('-inf')}:
            return ''
        value = int(value) if value == int(value) else repr(value)
        if isinstance(value, str) and 'e' in value:
            value = f'{Decimal(value):f}'
    if isinstance(value, int):
        text = str(value)
        if number_format and re.fullmatch(r'0+', number_format):
            text = text.zfill(len(number_format))
        return text
    if isinstance(value, dt.datetime):
        if value.time() == dt.time():
            value = value.date()
        return value.isoformat(*([' '] if isinstance(
                    value, dt.datetime) else []))
    return str(value)


class ContactFile:
    """A CSV or XLSX file of contacts

    file is a binary file that can be read again.  headings are those of the
    file, columns the names of what they hold (None for those that are
    unknown).  Iterating gives tuples of line number, cells and CellError or
    None."""

    def __init__(self, file):
        self.file = file
        self.headings = []
        self.columns = []
        self.encoding = None
        self.delimiter = None
        file.seek(0)
        head = file.read(4)
        if head.startswith(b'PK\x03\x04'):
            self._open = self._open_xlsx
        elif head == b'\xd0\xcf\x11\xe0':
            raise FileError(
                'msg_contact_file_xls',
                "The format of the file is too old.")
        else:
            self._open = self._open_csv
            self._detect_encoding()
        next(self._open())

    @property
    def unknown(self):
        "The headings that are not known"
        return [
            h for h, c in zip(self.headings, self.columns) if not c and h]

    def __iter__(self):
        rows = self._open()
        next(rows)
        return rows

    def rows(self, names=None):
        """Yield tuples of line number, cells, dictionary by column and errors

        The dictionaries are what the server imports, of all the columns or of
        those of names.  What a column that is there several times holds is
        separated by new lines."""
        columns = [
            c if c not in REJECT_COLUMNS and (not names or c in names)
            else None for c in self.columns]
        for line, cells, error in self:
            if not any(cells) and not error:
                continue
            row, errors = {}, [error] if error else []
            for column, cell in zip(columns, cells):
                if not cell or not column:
                    continue
                try:
                    cell = clean(column, cell)
                except CellError as e:
                    errors.append(e)
                    continue
                if cell and row.get(column) and column in MULTIPLE:
                    cell = row[column] + '\n' + cell
                if cell:
                    row[column] = cell
            if any(c.strip() for c in cells) or errors:
                yield line, cells, row, errors

    def grouped_rows(self):
        """Yield lists of the rows of the same company

        The file is read twice: only numbers are kept of the first time and
        of the second only the rows that wait for another one."""
        keys = array('q'), array('q')
        for _, _, row, _ in self.rows({'name', 'identifier'}):
            for values, key in zip(keys, group_keys(row)):
                values.append(key)
        self.size = len(keys[0])
        groups, sizes = _find_groups(*keys)
        waiting = defaultdict(list)
        for i, row in enumerate(self.rows()):
            group = groups.get(i)
            if group is None:
                yield [row]
                continue
            waiting[group].append(row)
            sizes[group] -= 1
            if not sizes[group] or len(waiting[group]) >= 500:
                yield waiting.pop(group)

    def chunks(self, size=1000):
        "Yield lists of about size rows that keep those of a company together"
        chunk = []
        for rows in self.grouped_rows():
            chunk.extend(rows)
            if len(chunk) >= size:
                yield chunk
                chunk = []
        if chunk:
            yield chunk

    @classmethod
    def to_import(cls, rows):
        "Return the rows as the server takes them"
        return [{
                **row,
                'line': line,
                'errors': [[e.name, e.column, e.variables] for e in errors],
                } for line, _, row, errors in rows]

    def _set_headings(self, headings):
        self.headings = [' '.join(unescape(str(h)).split()) for h in headings]
        self.columns = get_columns(self.headings)

    def _detect_encoding(self):
        self.file.seek(0)
        sample = self.file.read(1 << 16)
        self.encoding = None
        if sample.startswith((b'\xff\xfe', b'\xfe\xff')):
            self.encoding = 'utf-16'
        elif not sample.startswith(b'\xef\xbb\xbf'):
            # Text in UTF-16 has a NUL in about every second byte
            even, odd = sample[::2].count(0), sample[1::2].count(0)
            if max(even, odd) > len(sample) * 0.3:
                self.encoding = 'utf-16-le' if odd > even else 'utf-16-be'
        if not self.encoding:
            self._newline = (
                b'\r' if b'\n' not in sample and b'\r' in sample else b'\n')

    def _lines(self):
        self.file.seek(0)
        if self.encoding:
            for text in codecs.getreader(self.encoding)(
                    self.file, errors='replace'):
                yield text.replace('\x00', '')
        elif self._newline == b'\n':
            yield from map(_decode, self.file)
        else:
            yield from map(_decode, _split_lines(self.file))

    def _open_csv(self):
        lines = _Lines(self._lines())
        self._find_headings(lines)
        yield
        for line, text in lines:
            if text.strip():
                yield line, *self._read_record(lines, text)

    def _find_headings(self, lines):
        for line, text in lines:
            if line > _HEADING_LINES:
                break
            text = text.lstrip('\ufeff')
            if re.match(r'"?sep=', text, re.IGNORECASE):
                continue
            best = 0
            for delimiter in _DELIMITERS:
                for quote in '"\'':
                    cells = next(csv.reader(
                            [text], delimiter=delimiter, quotechar=quote), [])
                    self._set_headings(cells)
                    if 'name' not in self.columns:
                        continue
                    score = len(list(filter(None, self.columns)))
                    if text.lstrip().startswith(quote):
                        score += 1
                    if score > best:
                        best = score
                        self.delimiter, self.quote = delimiter, quote
            if best:
                self._set_headings(self._parse(text) or self._split(text))
                return
        self._raise_headings()

    def _raise_headings(self):
        raise FileError(
            'msg_contact_file_headings',
            "The file has no column %(heading)r.",
            heading=COLUMNS['name'][0])

    def _read_record(self, lines, text):
        "Return the cells of the record that begins with text and its error"
        taken = [text]
        try:
            # A quoted cell may have several lines
            while (cells := self._parse(taken)) is None:
                if len(taken) >= _QUOTED_LINES:
                    break
                following = next(lines, None)
                if following is None:
                    break
                taken.append(following[1])
            if cells is not None:
                return cells, None
            name = 'msg_contact_file_quote'
        except csv.Error:
            name = 'msg_contact_file_cell_size'
        # A wrong quote must not swallow what follows
        lines.push(taken[1:])
        return self._split(text), CellError(name, size=CELL_SIZE)

    def _parse(self, lines):
        "Return the cells or None if the lines are not the whole record"
        if isinstance(lines, str):
            lines = [lines]
        options = {'delimiter': self.delimiter, 'quotechar': self.quote}
        try:
            return next(csv.reader(lines, strict=True, **options), [])
        except csv.Error as e:
            if 'unexpected end of data' in str(e):
                return None
            elif 'field larger' in str(e):
                raise
        return next(csv.reader(lines, **options), [])

    def _split(self, text):
        return [
            c.strip(self.quote)[:100]
            for c in text.rstrip('\r\n').split(self.delimiter)]

    def _open_xlsx(self):
        try:
            import openpyxl
        except ImportError as e:
            raise FileError(
                'msg_contact_file_openpyxl',
                "openpyxl must be installed to read spreadsheets.") from e
        options = {'read_only': True, 'keep_links': False}
        try:
            self.file.seek(0)
            with zipfile.ZipFile(self.file) as archive:
                has_formula = _has_formula(archive)
            book = openpyxl.load_workbook(
                self.file, data_only=True, **options)
            rows = _sheet_rows(book)
            if has_formula:
                # A formula without value looks like an empty cell
                formulas = _sheet_rows(
                    openpyxl.load_workbook(self.file, **options))
            else:
                formulas = iter(lambda: (), None)
            yield from self._read_sheet(zip(rows, formulas))
        except (zipfile.BadZipFile, KeyError, ValueError, OSError) as e:
            raise FileError(
                'msg_contact_file_xlsx',
                "The file cannot be read: %(error)s", error=str(e)) from e

    def _read_sheet(self, rows):
        for i, ((line, values), _) in enumerate(rows):
            cells = [to_text(c.value) for c in values]
            self._set_headings(cells)
            if 'name' in self.columns:
                break
            if i > _HEADING_LINES:
                self._raise_headings()
        else:
            self._raise_headings()
        yield
        for (line, values), formulas in rows:
            cells = [
                to_text(c.value, getattr(c, 'number_format', None))
                for c in values]
            error = None
            if formulas:
                for i, cell in enumerate(formulas[1]):
                    if (cell.data_type == 'f'
                            and (i >= len(cells) or not cells[i])):
                        error = CellError(
                            'msg_contact_file_formula',
                            self.columns[i] if i < len(self.columns)
                            else None,
                            value=str(cell.value)[:50])
            yield line, cells, error


class Rejects:
    """Write the rejected rows in a form that can be corrected and imported

    file is a text file, headings those of the file that was read."""

    def __init__(self, file, headings):
        self.headings = headings
        self.columns = columns = get_columns(headings)
        self.kept = [
            i for i, c in enumerate(columns)
            if c not in REJECT_COLUMNS and c != 'customer']
        language = get_language(headings)
        self.writer = csv.writer(file)
        self.writer.writerow(
            [escape(self.headings[i]) for i in self.kept]
            + [COLUMNS['customer'][language]]
            + [h[language] for h in REJECT_COLUMNS.values()])

    def write_rows(self, rows, rejects):
        "Write the rejects of the server with the rows that were sent to it"
        cells = {line: cells for line, cells, _, _ in rows}
        for reject in sorted(rejects, key=lambda r: r['line']):
            self.write(cells[reject['line']], **reject)

    def write(self, cells, line, fields, reason, customer=None):
        self.writer.writerow(
            # What is escaped already stands for itself
            [escape(unescape(_get(cells, i))[:CELL_SIZE]) for i in self.kept]
            + [escape(customer), line,
                escape(get_label(self.headings, fields)), escape(reason)])


class _Lines:
    "Iterate over lines with their numbers, some of them a second time"

    def __init__(self, lines):
        self.lines = lines
        self.line = 0
        self.pushed = []

    def __iter__(self):
        return self

    def __next__(self):
        if self.pushed:
            text = self.pushed.pop()
        else:
            text = next(self.lines)
        self.line += 1
        return self.line, text

    def push(self, lines):
        self.pushed.extend(reversed(lines))
        self.line -= len(lines)


def group_keys(row):
    """Return two numbers that rows of the same company have in common

    They are equal too for some rows of different companies."""
    name = re.sub(r'\W+', '', normalize_heading(row.get('name')))
    # The legal form may be missing
    name = re.sub(r'(sas|sa|slu|sl|srl|ltda|cia|eu|inc|llc)$', '', name)
    identifier = re.sub(r'[\W_]', '', row.get('identifier', '')).upper()
    return (
        hash(('name', name)) if name else 0,
        hash(('identifier', identifier)) if identifier else 0)


def _find_groups(names, identifiers):
    """Return a dictionary of group by index of row and the sizes of groups

    Only the rows that share a key with another one are in a group."""
    shared = set()
    for keys in [names, identifiers]:
        previous = 0
        for key in sorted(keys):
            if key and key == previous:
                shared.add(key)
            previous = key
    parents = {}

    def find(key):
        while (parent := parents.get(key, key)) != key:
            key = parent
        return key

    rows = {}
    for i, keys in enumerate(zip(names, identifiers)):
        keys = [k for k in keys if k in shared]
        if keys:
            rows[i] = keys[0]
            parents[find(keys[-1])] = find(keys[0])
    groups, sizes = {}, defaultdict(int)
    for i, key in rows.items():
        groups[i] = find(key)
        sizes[groups[i]] += 1
    return groups, sizes


def _get(cells, i):
    return cells[i] if i < len(cells) else ''


def _decode(line):
    for encoding in ['utf-8', 'cp1252']:
        try:
            return line.decode(encoding).replace('\x00', '')
        except UnicodeDecodeError:
            pass
    return line.decode('latin-1').replace('\x00', '')


def _split_lines(file):
    "Yield the lines of a file that ends them with a carriage return"
    rest = b''
    while data := file.read(1 << 16):
        *lines, rest = (rest + data).split(b'\r')
        for line in lines:
            yield line + b'\n'
    if rest:
        yield rest


def _has_formula(archive):
    for name in archive.namelist():
        if re.match(r'xl/worksheets/[^/]+\.xml$', name):
            with archive.open(name) as file:
                end = b''
                while data := file.read(1 << 20):
                    if re.search(rb'<(\w+:)?f[ >/]', end + data):
                        return True
                    end = data[-20:]
    return False


def _sheet_rows(book):
    sheet = book.worksheets[0]
    for line, cells in enumerate(sheet.iter_rows(), 1):
        yield line, cells
