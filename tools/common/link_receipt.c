/*
 * The receipts of a link's channel as text (see link.h).
 */
#include "link.h"
#include "log.h"

#include <inttypes.h>

void
link_receipt(const struct link *link, char out[2 * DUET_RECEIPT_SIZE + 1], enum duet_role role)
{
    duet_info info;

    out[0] = 0;
    if (link->channel == NULL)
        return;
    duet_channel_info(link->channel, &info);
    if (info.receipts & 1u << role)
        to_hex(out, info.receipt[role], sizeof info.receipt[role]);
}

void
link_report_receipts(const struct link *link)
{
    char receipt[2 * DUET_RECEIPT_SIZE + 1];
    duet_info info;

    link_receipt(link, receipt, DUET_TOP);
    if (receipt[0] != 0)
        log_verbose("receipt of TOP %s", receipt);
    link_receipt(link, receipt, DUET_BOTTOM);
    if (receipt[0] != 0)
        log_verbose("receipt of BOTTOM %s", receipt);
    if (link->channel == NULL)
        return;
    duet_channel_info(link->channel, &info);
    if (info.refreshes > 0)
        log_verbose("refreshes %" PRIu64, info.refreshes);
}
