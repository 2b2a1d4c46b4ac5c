# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.
"""Guess what the columns of a file hold"""

import re
import unicodedata
from functools import lru_cache

# The first headings, English and Spanish, are those of the template
COLUMNS = {
    'name': (
        "Name", "Razón social", "Empresa", "Compañía", "Cliente", "Tercero",
        "Company", "Customer", "Party", "Account", "Organization",
        "Organización", "Company Name", "Account Name", "Organization Name",
        "Customer Name", "Business Name", "Legal Name", "Related Company",
        "Associated Company", "Parent Company", "Primary Company",
        "Nombre de la empresa", "Nombre de empresa", "Nombre empresa",
        "Nombre de la compañía", "Nombre de la cuenta", "Nombre de cuenta",
        "Cuenta", "Nombre del cliente", "Nombre cliente",
        "Nombre de la organización", "Nombre de organización",
        "Nombre del tercero", "Nombre tercero", "Nombre fiscal",
        "Nombre o razón social", "Nombre razón social",
        "Razón social o nombre", "Razón social nombre",
        "Denominación social", "Denominación", "Empresa relacionada",
        "Compañía relacionada", "Empresa asociada", "Compañía asociada",
        "Empresa principal", "Nombre comercial", "Trade Name",
        "Establecimiento"),
    'identifier_type': (
        "Identifier Type", "Tipo de identificador", "Tipo de documento",
        "Tipo de identificación", "Tipo de ID", "Tipo ID", "Tipo NIT",
        "Tipo de documento de identidad", "Document Type", "ID Type",
        "Identification Type", "Tax ID Type", "Tipo doc"),
    'identifier': (
        "Identifier", "Identificador", "Identificación", "NIT", "NIF", "CIF",
        "CIF NIF", "NIF CIF", "NIT CC", "CC NIT", "NIT o cédula", "NIT RUT",
        "RUT", "RUC", "RFC", "CUIT", "CUIL", "DNI", "NIE", "Cédula",
        "Cédula NIT", "NIT cédula", "Cédula o NIT", "CC",
        "Cédula de ciudadanía", "Documento", "Documento de identidad",
        "Tax Identifier", "Tax ID", "Tax Number", "Tax Identification Number",
        "Tax Identification", "VAT", "VAT Number", "VAT ID", "ID Number",
        "Identifier Code", "Identification", "Identification Number",
        "Document Number", "Número de identificación", "Número de documento",
        "Número documento", "No documento", "Nro documento",
        "Nro identificación", "No identificación", "Número identificación",
        "Número de identificación fiscal",
        "Número de identificación tributaria",
        "Identificación fiscal", "ID fiscal", "Número fiscal", "Número de NIT",
        "Número de IVA", "NIF IVA", "NIF CIF NIE"),
    'check_digit': (
        "Check Digit", "Dígito de verificación", "DV", "Dígito verificación",
        "Díg verificación", "D V", "Dígito verificador", "Verification Digit"),
    'street': (
        "Street", "Dirección", "Calle", "Domicilio", "Address",
        "Street Address", "Address Line", "Street Name", "Line",
        "Calle y número", "Dirección fiscal", "Domicilio fiscal",
        "Dirección principal", "Dirección completa", "Línea de dirección",
        "Dirección postal", "Address Street", "Dirección calle", "Domicilio "
        "calle", "Formatted Address", "Calle dirección postal"),
    'postal_code': (
        "Postal Code", "Código postal", "CP", "C P", "Zip", "Zip Code",
        "Zip Postal Code", "Postal Zip Code", "Postcode", "Post Code",
        "Cod postal", "Cód postal", "Address Postal Code", "CAP"),
    'city': (
        "City", "Ciudad", "Municipio", "Localidad", "Población", "Town",
        "Ciudad Municipio", "Municipio Ciudad", "Ciudad o municipio",
        "City Town", "Nombre ciudad", "Nombre de la ciudad", "Locality",
        "Address City", "Nombre municipio"),
    'subdivision': (
        "Subdivision", "Departamento", "Provincia", "Subdivisión", "Estado",
        "Comunidad autónoma", "Región", "State", "Province", "Region",
        "County", "State Province", "State Region", "Province State",
        "State County", "Estado Provincia", "Estado o provincia",
        "Provincia o estado", "Provincia Estado", "Estado Región",
        "Estado o región", "Provincia Región", "Departamento Provincia",
        "Departamento Estado", "Nombre departamento", "Address Region",
        "Address State", "Fed State"),
    'country': (
        "Country", "País", "Country Region", "País Región", "País o región",
        "Country Name", "Nombre país", "Nombre del país", "Address Country",
        "Country Code", "Código país", "Código de país"),
    'phone': (
        "Phone", "Teléfono", "Tel", "Tfno", "Tlf", "Teléfono fijo", "Fijo",
        "Tel fijo", "Teléfonos", "Phones", "Telephone", "Phone Number",
        "Telephone Number", "Número de teléfono", "Número telefónico",
        "Teléfono principal", "Número de teléfono fijo", "Phone Value",
        "Teléfono valor", "Main Phone", "Landline", "Teléfono de la empresa",
        "Company Main Phone", "Telefono de empresa", "Primary Phone",
        "Teléfono oficina", "Teléfono alternativo", "Otro teléfono",
        "Other Phone", "Assistant Phone", "Number", "Tels", "Ph"),
    'mobile': (
        "Mobile", "Móvil", "Celular", "Cel", "Móviles", "Celulares",
        "Teléfono móvil", "Teléfono celular", "Cell", "Cell Phone",
        "Mobile Phone", "Mobile Number", "Mobile Phone Number", "WhatsApp",
        "Número de móvil", "Número móvil", "Número de celular",
        "Número celular", "Número de teléfono móvil", "Tel móvil",
        "Tel celular", "No celular", "Número de teléfono celular",
        "WhatsApp Number", "WhatsApp Phone Number", "Número de WhatsApp",
        "Número de teléfono de WhatsApp"),
    'email': (
        "E-Mail", "Correo electrónico", "Email", "Correo", "Mail", "E-Mails",
        "Emails", "Correos", "Correos electrónicos", "Email Address",
        "E-Mail Addresses", "Dirección de correo electrónico",
        "Dirección de correo", "Direcciones de correo electrónico",
        "Dirección de email", "Email Value", "Correo electrónico valor",
        "Secondary Email", "Correo electrónico secundario",
        "Correo principal", "Correo electrónico principal",
        "Additional Email Addresses", "Other Email", "Email principal",
        "Email alternativo", "Correo de facturación",
        "Correo facturación electrónica", "Correo alternativo",
        "Correo de la empresa", "Company Email"),
    'website': (
        "Website", "Sitio web", "Página web", "Web", "URL", "Website URL",
        "Web Page", "Web Site", "URL del sitio web", "Website Value",
        "Sitio web de la empresa", "Company Website", "Home Page",
        "Company Domain Name", "Nombre de dominio de la empresa",
        "Sitio web valor", "Dirección web"),
    'contact_name': (
        "Contact", "Contacto", "Contact Name", "Nombre del contacto",
        "Nombre contacto", "Nombre de contacto", "Persona de contacto",
        "Contact Person", "Person", "Persona", "Contacto principal",
        "Primary Contact", "Nombre del contacto principal",
        "Contact Full Name", "Nombre completo del contacto",
        "Nombre contacto principal", "Representante legal",
        "Contact Display Name"),
    'first_name': (
        "First Name", "Nombres", "Given Name", "Forename", "Primer nombre",
        "Segundo nombre", "Middle Name", "Additional Name", "Otros nombres",
        "Nombre de pila", "Contact First Name", "Nombres del contacto",
        "Nombres contacto", "Nombres contacto principal",
        "Nombres del tercero", "Nombres tercero", "Nombres del cliente"),
    'last_name': (
        "Last Name", "Apellidos", "Family Name", "Surname", "Apellido",
        "Primer apellido", "Segundo apellido", "Contact Last Name",
        "Apellidos del contacto", "Apellidos contacto",
        "Apellidos contacto principal", "Apellidos del tercero",
        "Apellidos tercero", "Apellidos del cliente", "Apellido paterno",
        "Apellido materno"),
    'job_title': (
        "Job Title", "Cargo", "Puesto", "Cargo del contacto",
        "Cargo contacto", "Position", "Job Position", "Puesto de trabajo",
        "Organization Title", "Título", "Título del puesto", "Role", "Rol",
        "Ocupación", "Occupation", "Job", "Título del trabajo",
        "Organización cargo", "Título de la organización"),
    'contact_phone': (
        "Contact Phone", "Teléfono del contacto", "Teléfono contacto",
        "Teléfono de contacto", "Contact Phone Number",
        "Teléfono contacto principal"),
    'contact_mobile': (
        "Contact Mobile", "Celular del contacto", "Celular contacto",
        "Celular de contacto", "Móvil del contacto", "Móvil contacto",
        "Móvil de contacto"),
    'contact_email': (
        "Contact E-Mail", "Correo del contacto", "Contact Email",
        "Correo contacto", "Correo de contacto", "Email contacto",
        "Email del contacto", "Correo electrónico del contacto",
        "Correo electrónico contacto principal", "Email de contacto",
        "Correo electrónico contacto", "Correo contacto principal",
        "Correo electrónico de contacto"),
    'business_unit': ("Business Unit", "Unidad de negocio"),
    'channel': ("Channel", "Canal", "Sucursal", "Branch"),
    'operator': (
        "Operator", "Operador", "Comercial", "Vendedor", "Salesman",
        "Salesperson"),
    'rating': ("Rating", "Valoración", "Tipificación", "Calificación"),
    'comment': (
        "Comment", "Comentario", "Comentarios", "Comments", "Notes", "Notas",
        "Observaciones", "Observación", "Description", "Descripción",
        "Note", "Nota", "Internal Notes", "Notas internas", "Remarks",
        "Acerca de"),
    'customer': (
        "Customer Code", "Código de tercero", "Código del tercero",
        "Código de cliente", "Party Code"),
    }
REJECT_COLUMNS = {
    'line': ("Line", "Línea"),
    'field': ("Field", "Campo"),
    'reason': ("Reason", "Motivo"),
    }
MULTIPLE = {
    'phone', 'mobile', 'email', 'website', 'contact_phone', 'contact_mobile',
    'contact_email', 'comment', 'street', 'first_name', 'last_name'}
# They name the person when the file names a company too, else the customer
_NAMES = {
    'name', 'nombre', 'full name', 'nombre completo', 'nombres y apellidos',
    'nombre y apellidos', 'apellidos y nombres', 'nombre y apellido',
    'display name', 'nombre mostrado', 'nombre para mostrar',
    'nombre a mostrar', 'complete name', 'contact full name', 'file as'}
_MIDDLE_NAMES = {
    'segundo nombre', 'middle name', 'additional name', 'otros nombres'}
_OTHER_NAMES = {'nombre comercial', 'trade name', 'establecimiento'}
_QUALIFIERS = [
    r'^(mailing|billing|business|work|office|company|primary|main|invoice'
    r'|invoicing|postal|account|contact)\s',
    r'\s(de facturacion|de correspondencia|del? trabajo|del? negocio'
    r'|de correo|de envio|de la (oficina|empresa|cuenta)|laboral|oficina'
    r'|trabajo|principal|fiscal|work|business|value|valor)$',
    ]
# Of somebody or something else
_FOREIGN = re.compile(
    r'(^|\s)(fax|home|shipping|assistant|owner|propietario|creado|created'
    r'|modified|last activity|spouse|conyuge|particular|birth|label|type'
    r'|tipo|phonetic|radio|pager|car|isdn|telex|ttytdd|callback)(\s|$)')
_TYPED = {
    'nit', 'nif', 'cif', 'rut', 'ruc', 'rfc', 'cuit', 'cuil', 'dni', 'nie',
    'cedula', 'cc', 'cedula de ciudadania'}
# The values of a state that is no place
_STATES = {
    'activo', 'activa', 'inactivo', 'inactiva', 'active', 'inactive',
    'vigente', 'suspendido', 'retirado', 'nuevo', 'nueva', 'new', 'open',
    'abierto', 'cerrado', 'closed', 'pendiente', 'cliente', 'prospecto',
    'si', 'no', 'true', 'false', 'a', 'i', 'bloqueado', 'habilitado',
    'deshabilitado', 'enabled', 'disabled', 'contactado', 'contacted'}


def normalize_text(text):
    "Return the text without case, accents and punctuation"
    text = unicodedata.normalize('NFKD', str(text or ''))
    text = ''.join(c for c in text if not unicodedata.combining(c))
    text = re.sub(r'[\W_]+', ' ', text.lower()).strip()
    text = re.sub(r'^(e) (mails?)', r'\1\2', text)
    return text.replace(' e mail', ' email')


@lru_cache(maxsize=4096)
def normalize_heading(text):
    "Return the heading without case, accents, punctuation and numbers"
    text = normalize_text(text)
    text = re.sub(r'(?<=\D)\s*\d$', '', text)
    return ' '.join(re.sub(r'(^|\s)\d{1,2}(?=\s|$)', ' ', text).split())


_HEADINGS = {
    normalize_heading(heading): column
    for columns in [COLUMNS, REJECT_COLUMNS]
    for column, headings in columns.items()
    for heading in headings}
_HEADINGS.update({column.replace('_', ' '): column for column in COLUMNS})


def _guess(heading):
    text = normalize_heading(heading)
    if text in _NAMES:
        return 'full_name'
    if column := _HEADINGS.get(text):
        return column
    if _FOREIGN.search(text):
        return None
    for pattern in _QUALIFIERS:
        short = re.sub(pattern, '', text)
        if short != text and (column := _HEADINGS.get(short)):
            return column
    return None


def get_columns(headings, examples=None):
    """Return the names of what the headings are, None for the unknown ones

    examples are lists of the first values of each of them."""
    guessed = [_guess(h) for h in headings]
    has_last = 'last_name' in guessed
    has_first = any(
        c == 'first_name' and normalize_heading(h) not in _MIDDLE_NAMES
        for h, c in zip(headings, guessed))
    has_name = 'name' in guessed
    columns = []
    for i, (heading, column) in enumerate(zip(headings, guessed)):
        text = normalize_heading(heading)
        if column == 'full_name':
            if has_last and text in {'nombre', 'name'} and not has_first:
                column = 'first_name'
            elif has_name or has_last:
                column = 'contact_name'
            else:
                column = 'name'
        elif column == 'first_name' and not has_last:
            column = 'contact_name' if has_name else 'name'
        elif column == 'name' and text in _OTHER_NAMES and any(
                c == 'name' and normalize_heading(h) not in _OTHER_NAMES
                for h, c in zip(headings, guessed)):
            column = None
        elif text == 'title' and has_last and 'job_title' not in guessed:
            column = 'job_title'
        elif column == 'subdivision' and examples and _is_state(examples[i]):
            column = None
        if column in columns and column not in MULTIPLE:
            column = None
        columns.append(column)
    if has_last and 'name' in columns:
        columns = [
            f'contact_{c}' if c in {'mobile', 'email'}
            and 'company' not in normalize_heading(h)
            and 'empresa' not in normalize_heading(h) else c
            for h, c in zip(headings, columns)]
    return columns


def _is_state(values):
    values = [normalize_text(v) for v in values if v]
    return bool(values) and all(v in _STATES for v in values)


def get_identifier_type(heading):
    "Return the type of identifier that the heading tells or None"
    text = normalize_heading(heading)
    return text if text in _TYPED else None


def get_language(headings):
    "Return 0 if the headings are in English, 1 if they are in Spanish"
    headings = set(map(normalize_heading, headings))
    english, spanish = (
        len(headings & {normalize_heading(h[i]) for h in COLUMNS.values()})
        for i in range(2))
    return int(spanish > english)


def is_named(columns):
    "Return if the columns tell the name of the customer"
    return not {'name', 'contact_name', 'first_name'}.isdisjoint(columns)


def get_label(headings, columns, names):
    "Return the headings of the columns with these names"
    names = set(names)
    if 'name' in names and 'name' not in columns:
        names.update(['contact_name', 'first_name'])
    return ', '.join(h for h, c in zip(headings, columns) if c in names)
