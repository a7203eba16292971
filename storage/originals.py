"""What was sent, beside the captures and bounces that it came back as."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Column, Select, Table, select

from storage.tables import account, delivery, delivery_state, message


def joined(table: Table, columns: Iterable[Column[Any]]) -> Select[Any]:
    """These columns of a table that has delivery_id and account_id, with the names that shapes reads."""
    return (
        select(
            *columns,
            account.c.name.label("account"),
            delivery.c.recipient.label("original_recipient"),
            delivery.c.token.label("original_token"),
            message.c.message_id.label("original_message_id"),
            message.c.envelope_id.label("original_envelope_id"),
            message.c.subject.label("original_subject"),
            message.c.campaign.label("original_campaign"),
            message.c.kind.label("original_kind"),
            delivery_state.c.state.label("original_state"),
            delivery_state.c.resolution.label("original_resolution"),
        )
        .join_from(table, delivery, table.c.delivery_id == delivery.c.id, isouter=True)
        .join(delivery_state, delivery_state.c.delivery_id == delivery.c.id, isouter=True)
        .join(message, delivery.c.message_id == message.c.id, isouter=True)
        .join(account, table.c.account_id == account.c.id, isouter=True)
    )
