# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import re

# Not by email-validator: once it is installed, Tryton asks the DNS for the
# domain of each address that is saved
_EMAIL = re.compile(r'[^@\s<>(),;:"]+@[^@\s<>(),;:"]+\.[^@\s<>(),;:".]{2,}')


def is_email(text):
    return bool(_EMAIL.fullmatch(text))


def clause_accepts(clause, key):
    "Return if the clause of a search on equality or a list accepts the key"
    _, operator, value, *_ = clause
    if operator in {'in', 'not in'}:
        accepted = key in value
    else:
        accepted = key == value
    return accepted != (operator in {'!=', 'not in'})


def accepted_domain(clause, domains):
    "Return the domain of the keys of domains that the clause accepts"
    domains = [d for key, d in domains.items() if clause_accepts(clause, key)]
    return ['OR', *domains] if domains else [('id', '=', None)]
