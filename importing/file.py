# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.
"""Read files of contacts, as spreadsheets and people leave them.

It needs no database so that a script can use it far from the server."""

import csv
import re
import unicodedata
from array import array
from collections import defaultdict

from .exceptions import CellError, FileError
from .heading import (
    COLUMNS, MULTIPLE, REJECT_COLUMNS, get_columns, get_identifier_type,
    get_label, get_language, is_named, normalize_text)
from .sheet import Sheets
from .text import CELL_SIZE, DELIMITERS, TextReader

# The columns that a spreadsheet takes for numbers
NUMBERS = {
    'identifier', 'postal_code', 'phone', 'mobile', 'contact_phone',
    'contact_mobile', 'rating', 'customer'}
_HEADING_LINES = 20
_WIDTH = 1000
_EXAMPLES = 20
_ERRORS = {
    '#DIV/0!', '#N/A', '#NAME?', '#NULL!', '#NUM!', '#REF!', '#VALUE!',
    '#¡DIV/0!', '#¿NOMBRE?', '#¡NUM!', '#¡REF!', '#¡VALOR!', '#N/D',
    '#SPILL!', '#CALC!', '#GETTING_DATA'}
_FORMULA = re.compile(r'=\s*(?:[A-Za-z_.]+\(|[+-]?\$?[A-Za-z]{1,3}\$?\d)')
_TEXT_FORMULA = re.compile(r'="(.*)"', re.DOTALL)
# Spreadsheets skip the spaces before a formula
_TO_ESCAPE = re.compile(r"[\s']*[=+\-@]|'*[\t\r]")
_ESCAPED = re.compile(r"'(?:[\s']*[=+\-@]|'*[\t\r])")
_SCIENTIFIC = re.compile(r'[+-]?(\d)(?:[.,](\d+))?[eE]\+?(\d+)')
_FLOAT = re.compile(r'(\d+)[.,]0+')
# Characters of no name, which XML cannot carry
_CONTROL = re.compile(
    '[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f\\xad\\u200b-\\u200f\\u202a-\\u202e'
    '\\u2060-\\u2064\\ud800-\\udfff\\ufeff\\ufffe\\uffff]')
_SPACES = re.compile('[\\xa0\\u1680\\u2000-\\u200a\\u202f\\u205f\\u3000]')


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
    text = unicodedata.normalize(
        'NFC', _SPACES.sub(' ', _CONTROL.sub('', text)).strip())
    text = unescape(text)
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


class ContactFile:
    """A file of contacts: text with separated cells or a spreadsheet

    file is a binary file that can be read again.  headings are those of the
    file, columns the names of what they hold (None for those that are
    unknown), examples the first values of each of them.  Iterating gives
    tuples of line number, cells and CellError or None.

    options tell what is not to be guessed: columns, sheet, heading_line,
    encoding and delimiter.  If it is not strict a file without the name of
    the customer can be opened, to map its columns."""

    def __init__(
            self, file, columns=None, sheet=None, heading_line=None,
            encoding=None, delimiter=None, strict=True):
        self.file = file
        self.headings = []
        self.columns = []
        self.examples = []
        self.sheets, self.sheet, self.other_sheets = [], None, []
        self.encoding = self.delimiter = None
        self.heading_line = heading_line or None
        file.seek(0)
        head = file.read(4)
        if head.startswith(b'PK\x03\x04') or head == b'\xd0\xcf\x11\xe0':
            self._sheets = Sheets(file, sheet)
            self.sheets = self._sheets.names
            self.sheet = self._sheets.name
            self.other_sheets = self._sheets.others
            self._find_sheet_headings()
        else:
            self._sheets = None
            try:
                self._text = TextReader(file, encoding, delimiter)
                self._find_headings()
            except (LookupError, UnicodeError) as e:
                raise FileError(
                    'msg_contact_file_encoding',
                    "The file cannot be read as %(encoding)s.",
                    encoding=encoding) from e
            self.encoding = self._text.encoding
            self.delimiter = self._text.delimiter
        if not self.headings:
            self._raise_headings()
        if len(self.headings) > _WIDTH:
            raise FileError(
                'msg_contact_file_columns',
                "The file has more than %(number)s columns.", number=_WIDTH)
        self._set_examples()
        if columns:
            width = len(self.headings)
            self.columns = (list(columns) + [None] * width)[:width]
        else:
            self.columns = get_columns(self.headings, self.examples)
        if strict and not self.is_named:
            self._raise_headings()

    @property
    def is_named(self):
        return is_named(self.columns) or 'customer' in self.columns

    @property
    def unknown(self):
        "The headings that are not imported, with those of nameless columns"
        return [
            h or get_letters(i)
            for i, (h, c, x) in enumerate(
                zip(self.headings, self.columns, self.examples))
            if not c and (h or x)]

    def __iter__(self):
        width = len(self.headings)
        if self._sheets:
            rows = (
                r for r in self._sheets.rows() if r[0] > self.heading_line)
        else:
            lines = self._text.numbered()
            for line, _ in lines:
                if line >= self.heading_line:
                    break
            rows = self._text.records(lines, width)
        for line, cells, error in rows:
            if error and error.position is not None:
                error.column = (
                    self.columns[error.position]
                    if error.position < len(self.columns) else None)
            elif not error and any(c.strip() for c in cells[width:]):
                error = CellError('msg_contact_file_cells')
            yield line, cells, error

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
                    if not error or e.name != error.name:
                        errors.append(e)
                    continue
                if cell and row.get(column) and column in MULTIPLE:
                    cell = row[column] + '\n' + cell
                if cell:
                    row[column] = cell
            if any(c.strip() for c in cells) or errors:
                _join(row)
                yield line, cells, row, errors

    def grouped_rows(self):
        """Yield lists of the rows of the same company

        The file is read twice: only numbers are kept of the first time and
        of the second only the rows that wait for another one."""
        keys = array('q'), array('q')
        for _, _, row, _ in self.rows({
                    'name', 'identifier', 'first_name', 'last_name',
                    'contact_name'}):
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
            if not sizes[group]:
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

    def to_import(self, rows):
        "Return the rows as the server takes them"
        hints = [
            get_identifier_type(h)
            for h, c in zip(self.headings, self.columns) if c == 'identifier']
        hint = {'identifier_hint': hints[0]} if any(hints) else {}
        return [{
                **row,
                **hint,
                'line': line,
                'errors': [[e.name, e.column, e.variables] for e in errors],
                } for line, _, row, errors in rows]

    def _raise_headings(self):
        raise FileError(
            'msg_contact_file_headings',
            "The file has no column %(heading)r.",
            heading=COLUMNS['name'][0])

    def _find_headings(self):
        reader, found = self._text, None
        for line, text in reader.numbered():
            if self.heading_line and line < self.heading_line:
                continue
            if line > _HEADING_LINES and not self.heading_line:
                break
            text = text.lstrip('\ufeff')
            if re.match(r'"?sep=', text, re.IGNORECASE) or not text.strip():
                continue
            dialects = [
                (d, q) for d in reader.delimiter or DELIMITERS for q in '"\'']
            scores = [self._score(text, d, q) for d, q in dialects]
            score = max(scores)
            if not found or score > found[0]:
                found = score, line, text, *dialects[scores.index(score)]
            if score[0] or self.heading_line:
                break
        if found:
            (_, self.heading_line, text, reader.delimiter,
                reader.quote) = found
            self.headings = _get_headings(reader.parse(text))

    def _score(self, text, delimiter, quote):
        "Return how much the line looks like headings"
        cells = self._text.split(text, delimiter, quote)
        columns = get_columns(_get_headings(cells[:_WIDTH]))
        score = 0
        if is_named(columns) or 'customer' in columns:
            score = len(list(filter(None, columns)))
            score += text.lstrip().startswith(quote)
        return score, len(cells)

    def _find_sheet_headings(self):
        first = None
        for line, cells, _ in self._sheets.rows():
            if self.heading_line and line < self.heading_line:
                continue
            if not any(cells) and not self.heading_line:
                continue
            if line > _HEADING_LINES and not self.heading_line:
                break
            columns = get_columns(_get_headings(cells))
            if (self.heading_line
                    or is_named(columns) or 'customer' in columns):
                first = line, cells
                break
            if not first or (
                    len(list(filter(None, cells)))
                    > len(list(filter(None, first[1])))):
                first = line, cells
        if first:
            self.heading_line, cells = first
            while cells and not cells[-1]:
                cells = cells[:-1]
            self.headings = _get_headings(cells)

    def _set_examples(self):
        examples = [[] for _ in self.headings]
        width = len(self.headings)
        rows = iter(self)
        for _, cells, error in rows:
            if (self._sheets and any(c.strip() for c in cells[width:])
                    and width < _WIDTH):
                extra = min(len(cells), _WIDTH) - width
                self.headings += [''] * extra
                examples += [[] for _ in range(extra)]
                width = len(self.headings)
            if error and error.name != 'msg_contact_file_cells':
                continue
            for values, cell in zip(examples, cells):
                if cell.strip():
                    values.append(cell.strip()[:100])
            if max(map(len, examples), default=0) >= _EXAMPLES:
                break
        rows.close()
        self.examples = examples


def _get_headings(cells):
    return [' '.join(unescape(str(c)).split()) for c in cells]


def get_letters(position):
    "Return how a spreadsheet calls the column"
    letters, position = '', position + 1
    while position:
        position, rest = divmod(position - 1, 26)
        letters = chr(ord('A') + rest) + letters
    return letters


def _join(row):
    "Put together what several columns tell of one thing"
    digit = row.pop('check_digit', None)
    if digit and digit.isdigit() and row.get('identifier'):
        code = re.sub(r'\W', '', row['identifier'])
        if code.isdigit() and not re.search(
                rf'-\s*{digit}$', row['identifier']):
            row['identifier'] = f'{code}-{int(digit)}'
    names = ' '.join(
        row.pop(n).replace('\n', ' ')
        for n in ['first_name', 'last_name'] if row.get(n))
    if names and not row.get('contact_name'):
        row['contact_name'] = names
    if not row.get('name') and row.get('contact_name') and not row.get(
            'customer'):
        row['name'] = row.pop('contact_name')


class Rejects:
    """Write the rejected rows in a form that can be corrected and imported

    file is a text file, headings and columns those of the file that was
    read."""

    def __init__(self, file, headings, columns=None, delimiter=None):
        self.headings = headings
        self.columns = columns = columns or get_columns(headings)
        self.kept = [
            i for i, c in enumerate(columns)
            if c not in REJECT_COLUMNS and c != 'customer']
        language = get_language(headings)
        # Where the comma is for decimals it does not separate cells
        self.writer = csv.writer(file, delimiter=delimiter or ',;'[language])
        self.writer.writerow(
            [escape(self.headings[i]) for i in self.kept]
            + [COLUMNS['customer'][language]]
            + [h[language] for h in REJECT_COLUMNS.values()])

    def write_rows(self, rows, rejects):
        "Write the rejects of the server with the rows that were sent to it"
        cells = {line: cells for line, cells, _, _ in rows}
        for reject in sorted(rejects, key=lambda r: r['line']):
            self.write(
                cells[reject['line']], reject['line'], reject['fields'],
                reject['reason'], reject['customer'])

    def write(self, cells, line, fields, reason, customer=None):
        self.writer.writerow(
            # Without escaping twice
            [escape(unescape(_get(cells, i))) for i in self.kept]
            + [escape(customer), line,
                escape(get_label(self.headings, self.columns, fields)),
                escape(reason)])


def get_rejects_encoding(encoding):
    "Return the encoding in which a double click opens the rejects"
    if not encoding or encoding.startswith('utf-8'):
        # The mark tells spreadsheets the encoding
        return 'utf-8-sig'
    elif encoding.startswith('utf-16'):
        return 'utf-16'
    return encoding


def group_keys(row):
    """Return two numbers that rows of the same company have in common

    They are equal too for some rows of different companies."""
    name = re.sub(r'\W+', '', normalize_text(row.get('name')))
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
