# This file is part of sale_opportunity_management.  The COPYRIGHT file at the
# top level of this repository contains the full copyright notices and license
# terms.

import hashlib

from trytond.protocols.wrappers import (
    HTTPStatus, Response, abort, allow_null_origin, with_pool,
    with_transaction)
from trytond.transaction import Transaction
from trytond.wsgi import app

_PAGE_HEADERS = {
    'Cache-Control': 'no-store',
    'Content-Security-Policy': (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"),
    # The address of the page is a secret
    'Referrer-Policy': 'no-referrer',
    'X-Content-Type-Options': 'nosniff',
    'X-Robots-Tag': 'noindex, nofollow',
    }


def _accepted_language(request, pool):
    Configuration = pool.get('ir.configuration')
    Language = pool.get('ir.lang')
    codes = [
        l.code for l in Language.search([('translatable', '=', True)])]
    wanted = request.accept_languages.best_match(
        [c.replace('_', '-') for c in codes])
    return (
        wanted.replace('-', '_') if wanted else Configuration.get_language())


@app.route(
    '/<database_name>/sale_opportunity_management/meeting/<token>',
    methods=['GET', 'POST'])
# The privacy of the page makes browsers hide its origin
@allow_null_origin
@with_pool
@with_transaction(readonly=False)
def meeting_answer(request, pool, token):
    Attendee = pool.get('sale.meeting.attendee')
    Report = pool.get('sale.meeting.answer', type='report')
    Token = pool.get('sale.meeting.attendee.token')
    attendee = Token.get(token)
    status = HTTPStatus.OK
    data = {
        'model': Attendee.__name__,
        'answer': request.args.get('answer'),
        'answered': False,
        }
    if attendee:
        language = attendee.lang.code
        context = {'company': attendee.meeting.company.id}
        # Programs follow links, only people press buttons
        if request.method == 'POST':
            answer = request.form.get('answer')
            if answer not in {'accepted', 'tentative', 'declined'}:
                abort(HTTPStatus.BAD_REQUEST)
            if attendee.meeting.is_announced:
                with Transaction().set_context(context):
                    Attendee.give_answer([attendee], answer)
                data['answered'] = True
            else:
                status = HTTPStatus.GONE
    else:
        language = _accepted_language(request, pool)
        context = {}
        status = HTTPStatus.NOT_FOUND
    with Transaction().set_context(context, language=language):
        extension, content, _, _ = Report.execute(
            [attendee.id] if attendee else [], data)
    assert extension == 'html'
    return Response(
        content, status, headers=_PAGE_HEADERS,
        content_type='text/html; charset=utf-8')


@app.route(
    '/<database_name>/sale_opportunity_management/calendar/<token>.ics',
    methods=['GET'])
@with_pool
@with_transaction()
def agenda_feed(request, pool, token):
    Feed = pool.get('sale.agenda.feed')
    feed = Feed.get(token)
    if not feed:
        abort(HTTPStatus.NOT_FOUND)
    company = feed.employee.company
    language = feed.employee.party.lang or company.party.lang
    with Transaction().set_context(
            company=company.id,
            language=language.code if language else None):
        content = Feed(feed.id).to_ical()
    response = Response(
        content, HTTPStatus.OK, content_type='text/calendar; charset=utf-8')
    response.set_etag(hashlib.sha256(content).hexdigest())
    response.headers['Cache-Control'] = 'private, max-age=300'
    response.headers['X-Robots-Tag'] = 'noindex, nofollow'
    return response.make_conditional(request)
