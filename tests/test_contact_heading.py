# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import unittest

from trytond.modules.sale_opportunity_management.importing.heading import (
    get_columns, get_language)

# The headings of the exports of other programs with what they hold
EXPORTS = {
    'Odoo contacts': """\
        Complete Name: contact_name
        Related Company: name
        Company Type:
        Email: email
        Phone: phone
        Mobile: mobile
        Job Position: job_title
        Street: street
        Street2: street
        City: city
        State: subdivision
        ZIP: postal_code
        Country: country
        Tax ID: identifier
        Website: website
        Salesperson: operator
        Tags:
        Notes: comment""",
    'Odoo contactos': """\
        Nombre: contact_name
        Empresa relacionada: name
        Correo electrónico: email
        Teléfono: phone
        Móvil: mobile
        Puesto de trabajo: job_title
        Calle: street
        Calle 2: street
        Ciudad: city
        Estado: subdivision
        C.P.: postal_code
        País: country
        Número de identificación fiscal: identifier
        Sitio web: website
        Vendedor: operator
        Etiquetas:
        Notas: comment""",
    'HubSpot contacts': """\
        Record ID:
        First Name: first_name
        Last Name: last_name
        Email: contact_email
        Phone Number: phone
        Mobile Phone Number: contact_mobile
        Job Title: job_title
        Company name: name
        Street Address: street
        City: city
        State/Region: subdivision
        Postal Code: postal_code
        Country/Region: country
        Website URL: website
        Contact owner:
        Lead Status:
        Create Date:""",
    'HubSpot contactos': """\
        ID de registro:
        Nombre: first_name
        Apellidos: last_name
        Correo: contact_email
        Número de teléfono: phone
        Número de teléfono móvil: contact_mobile
        Cargo: job_title
        Nombre de la empresa: name
        Dirección: street
        Ciudad: city
        Estado/región: subdivision
        Código postal: postal_code
        País/Región: country
        URL del sitio web: website
        Propietario del contacto:
        Estado del lead:""",
    'HubSpot companies': """\
        Record ID:
        Company name: name
        Company Domain Name: website
        Phone Number: phone
        City: city
        Country/Region: country
        Industry:
        Company owner:
        Create Date:""",
    'Salesforce contacts': """\
        Salutation:
        First Name: first_name
        Last Name: last_name
        Title: job_title
        Account Name: name
        Mailing Street: street
        Mailing City: city
        Mailing State/Province: subdivision
        Mailing Zip/Postal Code: postal_code
        Mailing Country: country
        Phone: phone
        Fax:
        Mobile: contact_mobile
        Email: contact_email
        Contact Owner:
        Description: comment""",
    'Salesforce accounts': """\
        Account Name: name
        Billing Street: street
        Billing City: city
        Billing State/Province: subdivision
        Billing Zip/Postal Code: postal_code
        Billing Country: country
        Shipping Street:
        Shipping City:
        Phone: phone
        Website: website
        Account Owner:
        Type:
        Description: comment""",
    'Salesforce cuentas': """\
        Nombre de la cuenta: name
        Calle de facturación: street
        Ciudad de facturación: city
        Estado o provincia de facturación: subdivision
        Código postal de facturación: postal_code
        País de facturación: country
        Teléfono: phone
        Sitio Web: website
        Propietario de la cuenta:
        Descripción: comment""",
    'Zoho contacts': """\
        Record Id:
        Contact Owner:
        Lead Source:
        First Name: first_name
        Last Name: last_name
        Account Name: name
        Email: contact_email
        Title: job_title
        Phone: phone
        Other Phone: phone
        Mobile: contact_mobile
        Home Phone:
        Mailing Street: street
        Mailing City: city
        Mailing State: subdivision
        Mailing Zip: postal_code
        Mailing Country: country
        Secondary Email: contact_email
        Description: comment""",
    'Zoho contactos': """\
        Nombre: first_name
        Apellidos: last_name
        Nombre de Cuenta: name
        Correo electrónico: contact_email
        Título: job_title
        Teléfono: phone
        Móvil: contact_mobile
        Calle de correspondencia: street
        Ciudad de correspondencia: city
        Provincia de correspondencia: subdivision
        Código postal de correspondencia: postal_code
        País de correspondencia: country
        Correo electrónico secundario: contact_email
        Descripción: comment""",
    'Google contacts, old': """\
        Name: contact_name
        Given Name: first_name
        Additional Name: first_name
        Family Name: last_name
        Name Prefix:
        Nickname:
        Birthday:
        Notes: comment
        Group Membership:
        E-mail 1 - Type:
        E-mail 1 - Value: contact_email
        E-mail 2 - Value: contact_email
        Phone 1 - Type:
        Phone 1 - Value: phone
        Phone 2 - Value: phone
        Address 1 - Street: street
        Address 1 - City: city
        Address 1 - Region: subdivision
        Address 1 - Postal Code: postal_code
        Address 1 - Country: country
        Organization 1 - Name: name
        Organization 1 - Title: job_title
        Website 1 - Value: website""",
    'Google contacts': """\
        First Name: first_name
        Middle Name: first_name
        Last Name: last_name
        Phonetic First Name:
        Organization Name: name
        Organization Title: job_title
        Organization Department:
        Birthday:
        Notes: comment
        Photo:
        Labels:
        E-mail 1 - Label:
        E-mail 1 - Value: contact_email
        Phone 1 - Label:
        Phone 1 - Value: phone
        Address 1 - Label:
        Address 1 - Country: country
        Address 1 - Street: street
        Address 1 - City: city
        Address 1 - Region: subdivision
        Address 1 - Postal Code: postal_code
        Website 1 - Value: website""",
    'Outlook contacts': """\
        Title:
        First Name: first_name
        Middle Name: first_name
        Last Name: last_name
        Suffix:
        Company: name
        Department:
        Job Title: job_title
        Business Street: street
        Business City: city
        Business State: subdivision
        Business Postal Code: postal_code
        Business Country/Region: country
        Home Street:
        Home City:
        Business Fax:
        Business Phone: phone
        Business Phone 2: phone
        Home Phone:
        Mobile Phone: contact_mobile
        E-mail Address: contact_email
        E-mail 2 Address: contact_email
        Notes: comment
        Web Page: website""",
    'Outlook contactos': """\
        Nombre: first_name
        Segundo nombre: first_name
        Apellidos: last_name
        Compañía: name
        Puesto: job_title
        Calle del trabajo: street
        Ciudad de trabajo: city
        Provincia o estado de trabajo: subdivision
        Código postal del trabajo: postal_code
        País o región del trabajo: country
        Fax del trabajo:
        Teléfono del trabajo: phone
        Teléfono móvil: contact_mobile
        Dirección de correo electrónico: contact_email
        Notas: comment
        Página Web: website""",
    'Siigo terceros': """\
        Tipo de identificación: identifier_type
        Identificación: identifier
        Dígito verificación: check_digit
        Nombres del tercero: first_name
        Apellidos del tercero: last_name
        Razón social: name
        Nombre comercial:
        Sucursal: channel
        Dirección: street
        Código país: country
        País: country
        Ciudad: city
        Indicativo:
        Teléfono: phone
        Correo electrónico: contact_email
        Tipo de régimen IVA:
        Vendedor: operator
        Observaciones: comment""",
    'Spreadsheets': """\
        Nombre completo: contact_name
        Razón Social: name
        NIT/CC: identifier
        DV: check_digit
        Email Address: email
        Tel. fijo: phone
        Celular 1: mobile
        Celular 2: mobile
        Ciudad/Municipio: city
        Departamento: subdivision
        Observaciones: comment""",
    'Hojas de cálculo': """\
        Nombre completo: name
        Cédula: identifier
        Dirección de correo electrónico: email
        Número de teléfono: phone
        Población: city
        Provincia: subdivision
        C.P.: postal_code
        Persona de contacto: contact_name""",
    'Spain': """\
        CIF/NIF: identifier
        Nombre fiscal: name
        Domicilio: street
        Cód. Postal: postal_code
        Localidad: city
        Provincia: subdivision
        Tfno.: phone
        Móvil: mobile
        E-mail: email
        Contacto: contact_name""",
    }


class ContactHeadingTestCase(unittest.TestCase):
    "Test guessing what columns hold"

    def test_exports(self):
        "Test the headings of the exports of other programs"
        right, wrong = 0, []
        for program, lines in EXPORTS.items():
            headings, expected = zip(*(
                    line.strip().rsplit(':', 1)
                    for line in lines.splitlines()))
            for heading, column, other in zip(
                    headings, get_columns(headings), expected):
                if (column or '') == other.strip():
                    right += 1
                else:
                    wrong.append((program, heading, column))
        self.assertGreaterEqual(
            right / (right + len(wrong)), .95, wrong)

    def test_state(self):
        "Test that the state of a record is no department"
        for values, column in [
                (["Activo", "Inactivo", ""], None),
                (["Jalisco", "Activo"], 'subdivision'),
                ([], 'subdivision'),
                ]:
            with self.subTest(values=values):
                self.assertEqual(
                    get_columns(["Nombre", "Estado"], [["A"], values]),
                    ['name', column])

    def test_names(self):
        "Test what names the customer and what a person"
        for headings, columns in [
                (["Nombre"], ['name']),
                (["Nombre", "Apellidos"], ['first_name', 'last_name']),
                (["Nombre", "Empresa"], ['contact_name', 'name']),
                (["First Name", "Phone"], ['name', 'phone']),
                (["Nombre comercial", "Razón social"], [None, 'name']),
                (["Nombre comercial", "NIT"], ['name', 'identifier']),
                (["Name", "Name"], ['name', None]),
                ]:
            with self.subTest(headings=headings):
                self.assertEqual(get_columns(headings), columns)

    def test_language(self):
        "Test the language of the headings"
        self.assertEqual(get_language(["Nombre", "Ciudad", "Fax"]), 1)
        self.assertEqual(get_language(["Name", "City", "Fax"]), 0)
