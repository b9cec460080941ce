/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* What the two halves of the CD drive share: atapi.c (state, reading, tray) and atapi-replies.c
 * (answers that describe drive and disc). */

#include "core/dev/ata.h"

#define ATAPI_RAW_SECTOR 2352
#define ATAPI_MAX_RAW_SECTORS 1024

enum { /* sense keys, SPC-3 §4.5.6 */
       ATAPI_NOT_READY = 2,
       ATAPI_MEDIUM_ERROR = 3,
       ATAPI_ILLEGAL_REQUEST = 5,
       ATAPI_UNIT_ATTENTION = 6,
};
enum { ATAPI_ASC_MEDIUM_CHANGED = 0x28, ATAPI_ASC_RESET = 0x29 };
enum { ATAPI_EVENT_NONE = 0, ATAPI_EVENT_NEW_MEDIA = 2, ATAPI_EVENT_REMOVAL = 3 };

bool atapi_is_ready(const AtaDrive *drive);    /* a disc is in and the tray closed */
uint32_t atapi_sectors(const AtaDrive *drive); /* of 2048 bytes */

/* Each ends @command. atapi_reply() cuts at @allocation, what the guest has asked for. */
void atapi_reply(AtaCommand *command, const uint8_t *bytes, size_t length, size_t allocation);
void atapi_fail(AtaCommand *command, uint8_t key, uint8_t asc, uint8_t ascq);

static inline uint32_t atapi_get32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
}
/* Minutes, seconds, frames of @lba; in BCD on the disc itself. */
void atapi_put_msf(uint8_t out[3], uint32_t lba, bool bcd);

void atapi_identify(const AtaDrive *drive, uint16_t words[256]);
void atapi_inquiry(AtaCommand *command);
void atapi_mode_sense_6(AtaCommand *command);
void atapi_mode_sense_10(AtaCommand *command);
void atapi_read_capacity(AtaCommand *command);
void atapi_read_subchannel(AtaCommand *command);
void atapi_read_toc(AtaCommand *command);
void atapi_get_configuration(AtaCommand *command);
void atapi_get_event_status(AtaCommand *command);
void atapi_read_disc_information(AtaCommand *command);
void atapi_read_track_information(AtaCommand *command);
void atapi_read_dvd_structure(AtaCommand *command);
void atapi_mechanism_status(AtaCommand *command);
