# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.
"""Read files of text with separated cells"""

import codecs
import csv
import io
from itertools import islice

from .exceptions import CellError

CELL_SIZE = 100_000
DELIMITERS = ';,\t|'
LEGACY = ['cp1252', 'mac_roman', 'cp850']
_QUOTED_LINES = 200
_SAMPLE = 1 << 16
# The letters of names beyond ASCII, libraries take any letter for as likely
_LETTERS = frozenset('áéíóúñüçàèòãõâêôäößÁÉÍÓÚÑÜÇÀÈÒÃÕÄÖ¿¡ºª°–’“”')


def _get_handler(encoding):
    "Return the name of what reads in the encoding what is not in UTF-8"
    name = f'sale_opportunity_management_{encoding}'

    def decode(error):
        data = error.object[error.start:error.end]
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            text = data.decode('latin-1')
        return text, error.end

    codecs.register_error(name, decode)
    return name


def _guess_legacy(data):
    "Return the encoding by which most of what is not ASCII is in names"
    data = bytes(b for b in data if b > 127)

    def count(encoding):
        return sum(c in _LETTERS for c in data.decode(encoding, 'replace'))

    return max(LEGACY, key=count)


class TextReader:
    """The lines and records of a text

    file is a binary file.  What is not given of encoding and delimiter is
    detected by the whole file."""

    def __init__(self, file, encoding=None, delimiter=None):
        self.file = file
        self.encoding = encoding
        self.delimiter = delimiter
        self.quote = '"'
        self.errors = 'replace'
        file.seek(0)
        sample = file.read(_SAMPLE)
        if not encoding:
            self._detect(sample)
        width = 2 if self.encoding.startswith('utf-16') else 1
        self._newline = (
            '\r' if b'\r' in sample
            and b'\n' not in sample.replace(b'\0' * (width - 1), b'')
            else '\n')

    def _detect(self, sample):
        if sample.startswith((b'\xff\xfe', b'\xfe\xff')):
            self.encoding = 'utf-16'
            return
        # Text in UTF-16 has a NUL in about every second byte
        even, odd = sample[::2].count(0), sample[1::2].count(0)
        if max(even, odd) > len(sample) * 0.3:
            self.encoding = 'utf-16-le' if odd > even else 'utf-16-be'
            return
        self.encoding, legacy, size = 'utf-8', [], 0
        others = 0
        self.file.seek(0)
        for line in self.file:
            if line.isascii():
                continue
            try:
                line.decode('utf-8')
                others += 1
            except UnicodeDecodeError:
                if size < 1 << 20:
                    legacy.append(line)
                    size += len(line)
        encoding = 'cp1252'
        if legacy:
            encoding = _guess_legacy(b''.join(legacy))
            if len(legacy) > others:
                self.encoding = encoding
        # A character that is cut must not change those beside it
        self.errors = _get_handler(encoding)

    def lines(self):
        self.file.seek(0)
        encoding = self.encoding
        if self.errors != 'replace' and encoding in LEGACY:
            # Some of the lines may be in UTF-8
            encoding = 'utf-8'
        elif encoding == 'utf-8':
            encoding = 'utf-8-sig'
        text = io.TextIOWrapper(
            self.file, encoding, self.errors, newline=self._newline)
        try:
            for line in text:
                if self._newline == '\r':
                    line = line.rstrip('\r') + '\n'
                yield line.replace('\x00', '')
        finally:
            text.detach()

    def split(self, text, delimiter, quote):
        return next(
            csv.reader([text], delimiter=delimiter, quotechar=quote), [])

    def numbered(self):
        return _Lines(self.lines())

    def records(self, lines, width):
        """Yield tuples of line number, cells and CellError or None

        width is how many cells a record has."""
        # Only where records are written whole one that is not is torn
        sample = list(islice(lines, 50))
        lines.push([text for _, text in sample])
        whole = sum(
            text.count(self.delimiter) + 1 >= width for _, text in sample)
        is_whole = width > 2 and whole * 5 >= len(sample) * 4
        for line, text in lines:
            if not text.strip():
                continue
            cells, error = self._read(lines, text, width)
            if (is_whole and not error and len(cells) < width
                    and self._is_torn(lines, cells, width)):
                error = CellError('msg_contact_file_torn')
                yield line, cells, error
                line, text = next(lines)
                yield line, self.parse(text), error
                continue
            yield line, cells, error

    def _is_torn(self, lines, cells, width):
        following = next(lines, None)
        if not following:
            return False
        lines.push([following[1]])
        others = self._parse(following[1])
        return (
            bool(others) and following[1].strip() != ''
            and len(cells) + len(others) - 1 == width)

    def _read(self, lines, text, width):
        "Return the cells of the record that begins with text and its error"
        taken = [text]
        try:
            while (cells := self._parse(taken)) is None:
                if len(taken) >= _QUOTED_LINES:
                    break
                following = next(lines, None)
                if following is None:
                    break
                taken.append(following[1])
            if cells is not None and not self._is_swallowed(
                    taken, cells, width):
                return cells, None
            name = 'msg_contact_file_quote'
        except csv.Error:
            name = 'msg_contact_file_cell_size'
        # A wrong quote must not swallow what follows
        lines.push(taken[1:])
        return self._split(text), CellError(name, size=CELL_SIZE)

    def _is_swallowed(self, taken, cells, width):
        "Return if a quote that was left open took other records"
        if len(taken) == 1:
            return False
        return (
            len(cells) < min(width, 2)
            or any(
                len(self._parse(line) or []) == width > 1
                for line in taken[1:]))

    def parse(self, text):
        return self._parse(text) or self._split(text)

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
            c.strip(self.quote)
            for c in text.rstrip('\r\n').split(self.delimiter)]


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
