# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import re
from functools import cached_property

from stdnum import get_cc_module

from trytond.i18n import gettext
from trytond.modules.party.party import replace_vat
from trytond.pool import Pool
from trytond.tools.email_ import normalize_email
from trytond.transaction import Transaction, without_check_access

from ..party import PHONE_TYPES, normalize_name
from ..tools import is_email
from .heading import normalize_text

_SEPARATORS = re.compile(r'\s*(?:[;/|\n]|,(?=\D|$)|\s[yo]\s)\s*')
# The digits of the postal codes that may begin with zero
_POSTAL_CODES = {
    'CO': 6, 'DE': 5, 'ES': 5, 'FR': 5, 'IT': 5, 'MX': 5, 'US': 5}
# How identifiers are called that are neither a type nor its label, and the
# codes that the tax authority gives them
_IDENTIFIERS = {
    'AR': {'cuit': 'ar_cuit', 'cuil': 'ar_cuit', 'dni': 'ar_dni'},
    'CL': {'rut': 'cl_rut', 'run': 'cl_rut'},
    'CO': {'nit': 'co_nit', 'rut': 'co_nit', '31': 'co_nit'},
    'ES': {
        'cif': 'es_nif', 'nif': 'es_nif', 'dni': 'es_dni', 'nie': 'es_nie'},
    'MX': {'rfc': 'mx_rfc'},
    'PE': {'ruc': 'pe_ruc'},
    }
_NO_TYPE = {
    'otro', 'other', 'ninguno', 'none', 'cc', 'c c', 'cedula', 'ce', 'c e',
    'ti', 'rc', 'pep', 'ppt', 'cedula de ciudadania',
    'cedula de extranjeria', 'tarjeta de identidad', 'registro civil',
    'pasaporte', 'passport', '11', '12', '13', '21', '22', '41', '42', '47',
    '48', '50', '91'}
# With check digit, or of a company
_NIT = re.compile(r'[\d.\s]{6,}-\s*\d|[89]\d{8}|[89]\d{2}\.\d{3}\.\d{3}')
# Words that only some spellings of a department or a province have
_SUBDIVISION = re.compile(
    r'\b(de|del|la|el|los|las|y|d c|dc|d f|df|departamento|dpto|depto'
    r'|provincia|comunidad|distrito capital|estado|state|province)\b')
_AS_TYPED = {
    'comment', 'errors', 'line', 'customer', 'identifier_type', 'rating'}
_TOTAL = re.compile(
    r'(sub|gran|grand)? ?total(es|s)?( (general|clientes|customers))?( \d+)*')
_PLACEHOLDERS = {
    '', 'na', 'nd', 'nr', 'ns', 'ninguno', 'ninguna', 'none', 'null', 'nan',
    'notiene', 'nodisponible', 'noaplica', 'noregistra', 'noregistrado',
    'sin', 'sn', 'sindato',
    'sindatos', 'sininformacion', 'sincorreo', 'sinemail',
    'sinmail', 'sintelefono', 'sinnumero', 'sindireccion', 'sinnombre',
    'desconocido', 'desconocida', 'unknown', 'notavailable', 'noemail',
    'nomail', 'nophone', 'noinforma', 'pendiente', 'porconfirmar', 'tbd',
    'vacio', 'empty', 'notengo', 'nocorreo', 'noreporta'}


def is_placeholder(text):
    "Return if the text only says that there is nothing"
    local, at, domain = text.strip().partition('@')
    word = re.sub(r'\W|_', '', normalize_text(local))
    if at:
        return word in _PLACEHOLDERS - {'', 'ns', 'nr', 'nd', 'sin'} or (
            re.sub(r'\W.*', '', normalize_text(domain).replace(' ', '.'))
            in {'notiene', 'noaplica', 'sincorreo', 'noemail', 'notengo'})
    return word in _PLACEHOLDERS or bool(
        re.fullmatch(r'(\d)\1{4,}|0+|xx+', word))


def city_key(city):
    "Return what the different ways of writing a city have in common"
    return re.sub(r' (dc|d c|df|d f)$', '', normalize_text(city))


def _subdivision_key(text):
    return ' '.join(_SUBDIVISION.sub(' ', normalize_text(text)).split())


def _complete_nit(nit, code):
    "Return the number with its check digit"
    number, dash, digit = code.rpartition('-')
    compact = nit.compact(code)
    if (not dash and compact.isdigit()
            and (len(compact) == 9 or not nit.is_valid(compact))
            and len(compact) >= 7):
        # Nine digits are never eight and a check digit
        return f'{compact}-{nit.calc_check_digit(compact)}'
    return code


class Row:
    "The values of a row as they are going to be stored"
    __slots__ = (
        'line', 'name', 'key', 'city_key', 'customer', 'identifier',
        'address', 'mechanisms', 'person', 'job_title', 'person_mechanisms',
        'business_unit', 'channel', 'operator', 'rating', 'comment',
        'errors', 'outcome', 'party', 'reason', 'new', 'records')

    def __init__(self, line):
        self.line = line
        self.errors = {}
        self.outcome = self.party = self.reason = None
        self.new, self.records = [], []
        self.identifier = None
        self.mechanisms = []
        self.person_mechanisms = []
        self.person = self.job_title = self.rating = self.comment = None
        self.business_unit = self.channel = self.operator = None

    @property
    def keys(self):
        "The phone numbers and e-mails by which the customer is known"
        return {
            compact.lower()
            for type_, _, compact in self.mechanisms + self.person_mechanisms
            if type_ in {*PHONE_TYPES, 'email'}}

    @property
    def key_columns(self):
        return sorted(
            {type_ for type_, *_ in self.mechanisms}
            | {f'contact_{type_}' for type_, *_ in self.person_mechanisms})


class RowReader:
    """Read rows of text as the company of the context writes them

    What is looked up in the database is kept for the next rows, so it is made
    for a chunk of them."""

    def __init__(self, options):
        pool = Pool()
        Company = pool.get('company.company')
        ContactImport = pool.get('party.contact.import')
        Country = pool.get('country.country')
        self.options = options
        self.company = Company(Transaction().context['company'])
        self.business_unit = ContactImport._get_business_unit(options)
        self.country = None
        if (country := options.get('country')) is not None:
            self.country = Country(country)
        else:
            for address in self.company.party.addresses:
                if address.country:
                    self.country = address.country
                    break
        self._found = {}
        self._mechanisms = {}
        self._subdivisions = {}
        self._units = {}

    def read(self, values):
        "Return the row: its errors are in a dictionary of texts by column"
        row = Row(values.get('line'))
        values = {
            k: v for k, v in values.items()
            if v and (k in _AS_TYPED or not is_placeholder(str(v)))}
        for name, column, variables in values.get('errors', []):
            row.errors[column] = gettext(
                f'sale_opportunity_management.{name}', **variables)

        def get(name):
            return ' '.join(str(values.get(name, '')).split())

        row.name = get('name')
        row.customer = get('customer')
        row.key = normalize_name(row.name)
        row.city_key = city_key(get('city'))
        if not row.name and not row.customer:
            self._add_error(row, 'name', 'msg_contact_import_name')
        country = self.country
        if get('country'):
            country = self._find(row, 'country', get('country'))
            if not country:
                return row
        self._read_address(row, values, country)
        if get('identifier'):
            self._read_identifier(
                row, get('identifier_type'), get('identifier'), country,
                values.get('identifier_hint'))
        for name in ['phone', 'mobile', 'email', 'website']:
            row.mechanisms += self._read_mechanisms(
                row, name, name, values.get(name), country)
        row.job_title = get('job_title')
        row.person = get('contact_name') or row.job_title
        for name in ['phone', 'mobile', 'email']:
            row.person_mechanisms += self._read_mechanisms(
                row, f'contact_{name}', name, values.get(f'contact_{name}'),
                country)
        if not row.person:
            row.mechanisms += row.person_mechanisms
            row.person_mechanisms = []
        if (not row.keys and not row.identifier
                and _TOTAL.fullmatch(normalize_text(row.name))):
            self._add_error(row, 'name', 'msg_contact_import_total')
        self._read_tracking(row, get)
        if rating := get('rating'):
            rating = str(rating.count('★') or rating)
            if rating in {'1', '2', '3', '4', '5'}:
                row.rating = rating
            else:
                self._add_error(
                    row, 'rating', 'msg_contact_import_rating', value=rating)
        row.comment = str(values.get('comment', '')).strip()
        return row

    def _add_error(self, row, column, name, **variables):
        row.errors.setdefault(column, gettext(
                f'sale_opportunity_management.{name}', **variables))

    def _read_address(self, row, values, country):
        def get(name):
            return ' '.join(str(values.get(name, '')).split()) or None

        postal_code = get('postal_code')
        if (postal_code and country and postal_code.isdigit()
                and _POSTAL_CODES.get(country.code) == len(postal_code) + 1):
            postal_code = f'0{postal_code}'
        row.address = {
            'street_unstructured': '\n'.join(
                ' '.join(line.split())
                for line in values.get('street', '').splitlines()) or None,
            'postal_code': postal_code,
            'city': get('city'),
            'country': country.id if country else None,
            'subdivision': None,
            }
        if (subdivision := get('subdivision')) and country:
            row.address['subdivision'] = self._find_subdivision(
                row, country, subdivision)

    def _read_identifier(self, row, type_, code, country, hint=None):
        is_known, type_ = self._get_identifier_type(
            type_, code, country, hint)
        if not is_known:
            self._add_error(
                row, 'identifier_type', 'msg_contact_import_identifier_type')
            return
        if type_ and '_' in type_:
            module = get_cc_module(*type_.split('_', 1))
            if module:
                if type_ == 'co_vat':
                    code = _complete_nit(module, code)
                elif not module.is_valid(code):
                    code = re.sub(r'[\s.]', '', code)
                if not module.is_valid(code):
                    self._add_error(
                        row, 'identifier', 'msg_contact_import_identifier',
                        code=code, type=self._identifier_labels[type_])
                    return
        values = Pool().get('party.identifier').preprocess_values(
            'create', {'type': type_, 'code': code})
        row.identifier = (type_, values['code'], values['code_compact'])

    def _get_identifier_type(self, text, code, country, hint):
        "Return whether the type is known, and it"
        types = self._identifier_types
        country = country.code if country else ''
        names = _IDENTIFIERS.get(country, {})
        vat = f'{country.lower()}_vat'
        vat = vat if vat in types.values() else None

        def find(text):
            # The same word means something else in other countries
            type_ = (
                names.get(text) or types.get(f'{country.lower()} {text}')
                or types.get(text))
            type_ = type_ and replace_vat(type_)
            return type_ if type_ in types.values() else None

        if text:
            text = normalize_text(text)
            if text in _NO_TYPE:
                return True, None
            type_ = find(text)
            return bool(type_), type_
        if hint:
            return True, None if hint in _NO_TYPE else find(hint) or vat
        if vat == 'co_vat' and not _NIT.fullmatch(code):
            # A cédula is no tax identifier
            return True, None
        return True, vat

    @cached_property
    def _identifier_labels(self):
        pool = Pool()
        Identifier = pool.get('party.identifier')
        return {k: v for k, v in Identifier.get_types() if k}

    @cached_property
    def _identifier_types(self):
        types = {
            normalize_text(label): type_
            for type_, label in self._identifier_labels.items()}
        for type_ in self._identifier_labels:
            types[normalize_text(type_)] = type_
        for country, codes in _IDENTIFIERS.items():
            for type_ in codes.values():
                if replace_vat(type_) in self._identifier_labels:
                    types[normalize_text(type_)] = replace_vat(type_)
        return types

    def _read_mechanisms(self, row, column, type_, text, country):
        if not text:
            return []
        if type_ in {'phone', 'mobile'}:
            formatter = self._get_mechanism(country)
            values = [
                v for v in _SEPARATORS.split(str(text))
                if v and not is_placeholder(v)]
            if len(values) > 1 and len(row.errors) == 0:
                # 601 234 5678/79 is one number, not two
                values = [
                    v for v in values if len(re.sub(r'\D', '', v)) > 2]
        else:
            values = str(text).split() if type_ != 'email' else list(filter(
                    None, re.split(r'[\s;,|]+', str(text))))
        mechanisms = []
        for value in values:
            if type_ in {'phone', 'mobile'}:
                value = re.sub(r'^[^\d+]+(?=[\d+(])', '', value)
                formatted = formatter.format_value(value, type_)
                compact = formatter.format_value_compact(formatted, type_)
                if (not formatter._parse_phonenumber(formatted)
                        and value.startswith('00')):
                    formatted = formatter.format_value(
                        f'+{value[2:]}', type_)
                    compact = formatter.format_value_compact(
                        formatted, type_)
                if not formatter._parse_phonenumber(formatted):
                    self._add_error(
                        row, column, 'msg_contact_import_phone', phone=value,
                        country=country.name if country else '')
                    continue
                value = formatted
            elif type_ == 'email':
                value = re.sub(r'^mailto:', '', value.strip('<>()"\''))
                if is_placeholder(value):
                    continue
                if not is_email(value):
                    self._add_error(
                        row, column, 'msg_contact_import_email', email=value)
                    continue
                compact = value = normalize_email(value)
            else:
                compact = value
            if all(compact != m[2] for m in mechanisms):
                mechanisms.append((type_, value, compact))
        return mechanisms

    def _get_mechanism(self, country):
        "Return what formats the phone numbers of a customer of the country"
        pool = Pool()
        Address = pool.get('party.address')
        ContactMechanism = pool.get('party.contact_mechanism')
        Party = pool.get('party.party')
        if country not in self._mechanisms:
            self._mechanisms[country] = ContactMechanism(
                party=Party(addresses=[Address(country=country)]))
        return self._mechanisms[country]

    def _read_tracking(self, row, get):
        if self.business_unit is not None:
            row.business_unit = self.business_unit
        elif not self.options.get('trackings'):
            return
        elif text := get('business_unit'):
            row.business_unit = self._find(row, 'business_unit', text)
        elif (unit := self.options.get('business_unit')) is not None:
            row.business_unit = unit
        else:
            self._add_error(
                row, 'business_unit', 'msg_contact_import_business_unit')
        for name in ['channel', 'operator']:
            if text := get(name):
                setattr(row, name, self._find(row, name, text))

    def _find(self, row, column, text):
        "Return what the column names by its code or name, in any language"
        if column not in self._found:
            self._found[column] = getattr(self, f'_get_{column}_names')()
        try:
            return self._found[column][normalize_text(text)]
        except KeyError:
            self._add_error(
                row, column, 'msg_contact_import_unknown', value=text)

    @without_check_access
    def _get_country_names(self):
        pool = Pool()
        Country = pool.get('country.country')
        countries = {c.id: c for c in Country.search([])}
        names = {}
        for id_, name in self._get_translations(Country, countries):
            names.setdefault(normalize_text(name), countries[id_])
        for country in countries.values():
            for name in [
                    country.name, country.code_numeric, country.code3,
                    country.code]:
                if name:
                    names[normalize_text(name)] = country
        return names

    def _find_subdivision(self, row, country, text):
        if country not in self._subdivisions:
            self._subdivisions[country] = self._get_subdivisions(country)
        names = self._subdivisions[country]
        # Valle del Cauca in "Valle", and in "Cali (Valle)"
        texts = [text, *re.findall(r'\(([^)]*)\)', text)]
        texts.append(re.sub(r'\([^)]*\)', ' ', text))
        for text_ in texts:
            if id_ := names.get(normalize_text(text_)):
                return id_
        keys = [k for k in map(_subdivision_key, texts) if k]
        for key in keys:
            if id_ := names.get(key):
                return id_
        for key in keys:
            found = {
                i for n, i in names.items() if n.startswith(f'{key} ')}
            if len(found) == 1:
                return found.pop()
        self._add_error(
            row, 'subdivision', 'msg_contact_import_unknown', value=text)

    @without_check_access
    def _get_subdivisions(self, country):
        pool = Pool()
        Subdivision = pool.get('country.subdivision')
        SubdivisionType = pool.get('party.address.subdivision_type')
        domain = [('country', '=', country.id)]
        if types := SubdivisionType.get_types(country):
            domain.append(('type', 'in', types))
        subdivisions = {s.id: s for s in Subdivision.search(domain)}
        names = {}
        for id_, name in self._get_translations(Subdivision, subdivisions):
            names.setdefault(normalize_text(name), id_)
        for subdivision in subdivisions.values():
            for name in [
                    subdivision.code.split('-')[-1] if subdivision.code
                    else None,
                    subdivision.code, subdivision.name]:
                if name:
                    names[normalize_text(name)] = subdivision.id
        for name in list(names):
            names.setdefault(_subdivision_key(name), names[name])
            if 'distrito capital' in name:
                names.setdefault('distrito capital', names[name])
        names.pop('', None)
        return names

    @without_check_access
    def get_unit_name(self, id_):
        pool = Pool()
        BusinessUnit = pool.get('sale.business_unit')
        if id_ not in self._units:
            self._units[id_] = BusinessUnit(id_).rec_name
        return self._units[id_]

    @without_check_access
    def _get_business_unit_names(self):
        pool = Pool()
        BusinessUnit = pool.get('sale.business_unit')
        units = {u.id: u for u in BusinessUnit.search([
                    ('company', 'in', [self.company.id, None]),
                    ])}
        names = {
            normalize_text(name): id_
            for id_, name in self._get_translations(BusinessUnit, units)}
        names.update((normalize_text(u.name), u.id) for u in units.values())
        return names

    @without_check_access
    def _get_channel_names(self):
        pool = Pool()
        Channel = pool.get('sale.channel')
        return {
            normalize_text(name): c.id
            for c in Channel.search([('company', '=', self.company.id)])
            for name in [c.name, c.code] if name}

    @without_check_access
    def _get_operator_names(self):
        pool = Pool()
        Employee = pool.get('company.employee')
        return {
            normalize_text(e.party.name): e.id
            for e in Employee.search([
                    ('company', '=', self.company.id),
                    ('active', '=', True),
                    ])}

    def _get_translations(self, Model, records):
        "Yield the ids of the records with the translations of their names"
        pool = Pool()
        Translation = pool.get('ir.translation')
        translation = Translation.__table__()
        cursor = Transaction().connection.cursor()
        cursor.execute(*translation.select(
                translation.res_id, translation.value,
                where=(translation.name == f'{Model.__name__},name')
                & (translation.type == 'model')))
        for id_, name in cursor:
            if id_ in records and name:
                yield id_, name
