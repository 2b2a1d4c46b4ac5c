# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

from itertools import chain
from xml.sax.saxutils import escape, quoteattr

from genshi.core import (
    END, END_NS, START, START_NS, TEXT, Markup, StreamEventKind)
from genshi.template.base import EXPR, SUB, _eval_expr
from genshi.template.directives import ForDirective
from genshi.template.eval import Expression
from relatorio.templates.opendocument import escape_xml_invalid_chars

_WRITTEN = StreamEventKind('WRITTEN')
_ESCAPE = '__relatorio_escape_invalid_chars('
# How many turns are written at once
_TURNS = 64


class WrittenLoop:
    """The directive of a loop which writes each turn as one text

    Most of the time of a long report is spent on the events of its cells, each
    of which passes through all the filters."""

    def __init__(self, loop, parts, values):
        self.loop = loop
        self.parts = parts
        self.values = values

    def __call__(self, stream, directives, ctxt, **vars):
        gettext = ctxt.get('gettext') or str
        text = ''.join(
            part if is_markup else _translate(part, gettext)
            for is_markup, part in self.parts)
        text = escape_xml_invalid_chars(text)
        scope, turns = {}, []
        for frame in reversed(ctxt.frames):
            scope.update(frame)
        for item in _eval_expr(self.loop.expr, ctxt, vars) or []:
            self.loop.assign(scope, item)
            ctxt.push(scope)
            values = self.values.evaluate(scope, ctxt)
            ctxt.pop()
            turns.append(tuple(['' if v is None else str(v) for v in values]))
            if len(turns) == _TURNS:
                yield _written(text, turns)
                turns.clear()
        if turns:
            yield _written(text, turns)


class _Values:
    """The expression of the tuple of the values of a turn

    Genshi looks each name and attribute up by functions of its own, which is
    needed for what Python does not find only."""

    def __init__(self, source, lookup):
        self.code = compile(source, '<report>', 'eval')
        self.expression = Expression(source, lookup=lookup)

    def evaluate(self, scope, ctxt):
        try:
            return eval(self.code, scope)
        except Exception:
            return self.expression.evaluate(ctxt)


def _translate(text, gettext):
    if word := text.strip():
        text = text.replace(word, gettext(word))
    return escape(text).replace('%', '%%')


def _written(text, turns):
    # Few values need it and to look at each is slow
    values = ''.join(chain.from_iterable(turns))
    if _escape_value(values) != values:
        turns = [tuple(map(_escape_value, turn)) for turn in turns]
    written = ''.join(text % turn for turn in turns)
    return _WRITTEN, Markup(written), (None, -1, -1)


def _escape_value(value):
    return escape(escape_xml_invalid_chars(value))


def as_text(stream, ctxt=None):
    "The last filter, as the others would look for words to translate"
    for kind, data, pos in stream:
        yield (TEXT if kind is _WRITTEN else kind), data, pos


def write_loops(template):
    "Make the loops of the template over plain rows write each turn at once"
    prefixes = {uri: prefix for prefix, uri in template.namespaces.items()}
    template._stream = list(_convert(template, template.stream, prefixes))


def _convert(template, stream, prefixes):
    for kind, data, pos in stream:
        if kind is SUB:
            directives, substream = data
            parts = None
            if [type(d) for d in directives] == [ForDirective]:
                parts = _get_parts(substream, prefixes)
            if parts:
                directives = [WrittenLoop(
                        directives[0], parts,
                        _get_values(template, substream))]
                substream = []
            else:
                substream = list(_convert(template, substream, prefixes))
            data = directives, substream
        yield kind, data, pos


def _get_parts(stream, prefixes):
    """Return the parts of the text as tuples of if they are markup and of
    the text, or nothing if there are others than elements and values"""
    parts = []
    for kind, data, _ in stream:
        if kind is START:
            tag, attributes = data
            if not all(isinstance(v, str) for _, v in attributes):
                return
            parts.append((True, '<%s%s>' % (
                        _name(tag, prefixes), ''.join(
                            f' {_name(n, prefixes)}={quoteattr(v)}'
                            for n, v in attributes).replace('%', '%%'))))
        elif kind is END:
            parts.append((True, f'</{_name(data, prefixes)}>'))
        elif kind is EXPR:
            parts.append((True, '%s'))
        elif kind is TEXT:
            parts.append((False, data))
        elif kind not in {START_NS, END_NS}:
            return
    return parts


def _name(name, prefixes):
    if prefix := prefixes.get(name.namespace):
        return f'{prefix}:{name.localname}'
    return name.localname


def _get_values(template, stream):
    sources = []
    for kind, data, _ in stream:
        if kind is EXPR:
            source = data.source
            if source.startswith(_ESCAPE) and source.endswith(')'):
                source = source.removeprefix(_ESCAPE)[:-1]
            sources.append(f'({source}), ')
    return _Values(f"({''.join(sources)})", template.lookup)
