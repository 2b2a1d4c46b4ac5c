# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import hashlib
import secrets

from trytond.model import ModelSQL, Unique, fields
from trytond.transaction import without_check_access


def hash_token(token):
    """Return what is stored of the token

    It is random enough for a hash without salt. As only the hash is looked
    for, the time that it takes tells nothing about the token."""
    return hashlib.sha256(token.encode('utf-8')).hexdigest()


class AccessTokenMixin(ModelSQL):
    token_hash = fields.Char("Token Hash", required=True, strip=False)

    @classmethod
    def __setup__(cls):
        cls.token_hash.search_unaccented = False
        super().__setup__()
        t = cls.__table__()
        cls._sql_constraints += [
            ('token_hash_unique', Unique(t, t.token_hash),
                'sale_opportunity_management.msg_token_unique'),
            ]

    @classmethod
    @without_check_access
    def create_token(cls, **values):
        "Return the token of a new record with the values"
        token = secrets.token_urlsafe(32)
        cls.create([{**values, 'token_hash': hash_token(token)}])
        return token

    @classmethod
    def search_token(cls, token):
        "Return the records of the token, of which there is one at most"
        return cls.search([('token_hash', '=', hash_token(token))])
