# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.
"""Read the sheets of spreadsheets"""

import datetime as dt
import re
import zipfile
from decimal import Decimal

from .exceptions import CellError, FileError

# Larger ones are no files of contacts but attacks
_FILE_SIZE = 200 << 20
_RATIO = 100
_STRINGS = 200_000
_STRINGS_SIZE = 50 << 20


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


class Sheets:
    """A spreadsheet

    names are those of the sheets, others those of them with data beside the
    one that is read."""

    def __init__(self, file, name=None):
        self.file = file
        file.seek(0)
        self.is_xlsx = False
        if file.read(4).startswith(b'PK'):
            self.is_xlsx = self._check_size()
        try:
            from python_calamine import CalamineWorkbook
        except ImportError as e:
            raise FileError(
                'msg_contact_file_calamine',
                "python-calamine must be installed to read spreadsheets."
                ) from e
        file.seek(0)
        try:
            self.book = CalamineWorkbook.from_filelike(file)
            self.names = self.book.sheet_names
            self._ends = {
                n: self.book.get_sheet_by_name(n).end for n in self.names}
        except Exception as e:
            raise self._get_error(e) from e
        filled = [n for n in self.names if self._ends[n]]
        if name not in self.names:
            name = next(iter(filled or self.names), None)
        self.name = name
        self.others = [n for n in filled if n != name]

    def _get_error(self, error):
        return FileError(
            'msg_contact_file_xlsx', "The file cannot be read: %(error)s",
            error=str(error) or error.__class__.__name__)

    def _check_size(self):
        "Return whether it is an XLSX file, once it is known to be no bomb"
        try:
            with zipfile.ZipFile(self.file) as archive:
                infos = archive.infolist()
                size = sum(i.file_size for i in infos)
                packed = sum(i.compress_size for i in infos)
                strings = 0
                if size <= _FILE_SIZE:
                    for info in infos:
                        if info.filename.endswith('sharedStrings.xml'):
                            strings = self._count_strings(archive, info)
                if (size > _FILE_SIZE
                        or size > 1 << 20 and size > _RATIO * packed
                        or strings > _STRINGS):
                    raise FileError(
                        'msg_contact_file_size',
                        "The spreadsheet is too large, save it as CSV.")
                return any(i.filename == 'xl/workbook.xml' for i in infos)
        except (zipfile.BadZipFile, OSError, ValueError, KeyError) as e:
            raise self._get_error(e) from e

    def _count_strings(self, archive, info):
        if info.file_size > _STRINGS_SIZE:
            return _STRINGS + 1
        with archive.open(info) as file:
            return len(re.findall(rb'<(?:\w+:)?si[ >/]', file.read()))

    def rows(self):
        "Yield tuples of line number, cells and CellError or None"
        if self.name is None or not self._ends[self.name]:
            return
        read = self._read_xlsx if self.is_xlsx else self._read
        try:
            yield from read()
        except FileError:
            raise
        except Exception as e:
            raise self._get_error(e) from e

    def _read(self):
        sheet = self.book.get_sheet_by_name(self.name)
        for line, values in enumerate(
                sheet.to_python(skip_empty_area=False), 1):
            yield line, [to_text(v) for v in values], None

    def _read_xlsx(self):
        # It knows how numbers are shown and which cells are formulas
        try:
            import openpyxl
        except ImportError:
            yield from self._read()
            return
        # Cells with only a format have no data
        row, column = self._ends[self.name]
        limits = {'max_row': row + 1, 'max_col': column + 1}
        options = {'read_only': True, 'keep_links': False}

        def get_rows(**kwargs):
            self.file.seek(0)
            book = openpyxl.load_workbook(self.file, **options, **kwargs)
            return book[self.name].iter_rows(**limits)

        self.file.seek(0)
        with zipfile.ZipFile(self.file) as archive:
            has_formula = _has_formula(archive)
        rows = get_rows(data_only=True)
        # A formula without value looks like an empty cell
        formulas = get_rows() if has_formula else iter(lambda: (), None)
        for line, (cells, sources) in enumerate(zip(rows, formulas), 1):
            values = [
                to_text(c.value, getattr(c, 'number_format', None))
                for c in cells]
            error = None
            for i, cell in enumerate(sources):
                if (getattr(cell, 'data_type', None) == 'f'
                        and (i >= len(values) or not values[i])):
                    error = CellError(
                        'msg_contact_file_formula', position=i,
                        value=str(cell.value)[:50])
            yield line, values, error


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
