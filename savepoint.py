# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

from contextlib import contextmanager

from trytond.transaction import Transaction


@contextmanager
def savepoint(keep=True):
    """Undo what is done inside if it fails or is not to be kept

    The transaction goes on as it was before."""
    transaction = Transaction()
    connection = transaction.connection
    cursor = connection.cursor()
    if not getattr(connection, 'in_transaction', True):
        # On SQLite it would be the transaction
        cursor.execute('BEGIN IMMEDIATE')
    logs = len(transaction.log_records)
    notifications = len(transaction.user_notifications)

    def rollback():
        cursor.execute('ROLLBACK TO SAVEPOINT sale_opportunity_management')
        for cache in transaction.cache.values():
            cache.clear()
        del transaction.log_records[logs:]
        del transaction.user_notifications[notifications:]

    cursor.execute('SAVEPOINT sale_opportunity_management')
    try:
        yield
    except BaseException:
        rollback()
        raise
    else:
        if not keep:
            rollback()
    finally:
        cursor.execute('RELEASE SAVEPOINT sale_opportunity_management')
