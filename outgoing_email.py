# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

from email import message_from_bytes
from email.policy import default as default_policy

from trytond.model import ModelSQL, fields
from trytond.sendmail import (
    SMTPDataManager, get_smtp_server, send_message_transactional)
from trytond.transaction import without_check_access

from .moment import this_minute


class EmailDataManager(SMTPDataManager):
    # Without server nothing is committed, so that it can be tried again, but
    # one message that is refused does not hold up the others.

    def tpc_vote(self, trans):
        if self._server is None:
            self._server = get_smtp_server(self.uri, strict=True)


class OutgoingEmail(ModelSQL):
    __name__ = 'sale.outgoing_email'

    message = fields.Binary("Message", required=True)
    expire_date = fields.DateTime(
        "Expires On", required=True,
        help="When the message is of no use any more.")

    @classmethod
    @without_check_access
    def add(cls, messages):
        """Send the messages once the transaction is done

        messages is a list of each message and the moment until which it is
        tried again when there is no mail server."""
        if messages:
            emails = cls.create([{
                        'message': message.as_bytes(),
                        'expire_date': date,
                        } for message, date in messages])
            cls.__queue__.send(emails)

    @classmethod
    def send(cls, emails):
        "Send the e-mails that are still there and of use"
        cls.lock(emails)
        emails = cls.search([
                ('id', 'in', [e.id for e in emails]),
                ('expire_date', '>', this_minute()),
                ])
        for email in emails:
            send_message_transactional(
                message_from_bytes(email.message, policy=default_policy),
                datamanager=EmailDataManager())
        cls.delete(emails)

    @classmethod
    def send_waiting(cls):
        """Send what could not be sent before, by lack of a mail server

        It is called by the cron task."""
        now = this_minute()
        cls.delete(cls.search([('expire_date', '<=', now)]))
        if emails := cls.search([]):
            cls.__queue__.send(emails)
