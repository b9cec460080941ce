/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/dev/edid.h"

#include <string.h>

#define EDID_DPI 96u

/* §3.8 and table 3.19: other modes that this monitor takes, all of them 60 Hz. */
static const struct {
    uint16_t width, height;
} edid_standard_modes[8] = { { 1920, 1080 }, { 1280, 1024 }, { 1440, 900 }, { 1600, 1200 },
                             { 1680, 1050 }, { 1280, 720 },  { 1280, 800 }, { 1920, 1200 } };

static uint8_t edid_aspect(unsigned width, unsigned height)
{
    if (width * 10 == height * 16)
        return 0;
    if (width * 3 == height * 4)
        return 1;
    return width * 4 == height * 5 ? 2 : 3;
}

/* §3.10.2: one detailed timing, with the blanking of CVT's reduced kind. */
static void edid_put_timing(uint8_t *out, unsigned width, unsigned height)
{
    unsigned blank_x = 160, front_x = 48, sync_x = 32;
    unsigned front_y = 3, sync_y = 6, blank_y = front_y + sync_y + 6 + height / 40;
    unsigned width_mm = width * 254 / (EDID_DPI * 10), height_mm = height * 254 / (EDID_DPI * 10);
    unsigned clock = (width + blank_x) * (height + blank_y) / 1000 * 60 / 10; /* 10 kHz */

    out[0] = clock;
    out[1] = clock >> 8;
    out[2] = width;
    out[3] = blank_x;
    out[4] = (width >> 8) << 4 | blank_x >> 8;
    out[5] = height;
    out[6] = blank_y;
    out[7] = (height >> 8) << 4 | blank_y >> 8;
    out[8] = front_x;
    out[9] = sync_x;
    out[10] = front_y << 4 | sync_y;
    out[11] = 0;
    out[12] = width_mm;
    out[13] = height_mm;
    out[14] = (width_mm >> 8) << 4 | height_mm >> 8;
    out[15] = out[16] = 0;
    out[17] = 0x1A; /* digital separate sync, + horizontal */
}

/* §3.10.3: a descriptor of 13 characters of text. */
static void edid_put_text(uint8_t *out, uint8_t tag, const char *text)
{
    size_t length = strlen(text);

    memset(out, 0, 5);
    out[3] = tag;
    for (size_t i = 0; i < 13; i++)
        out[5 + i] = i < length ? (uint8_t)text[i] : i == length ? '\n' : ' ';
}

static void edid_put_range(uint8_t *out)
{
    static const uint8_t range[18] = { 0,
                                       0,
                                       0,
                                       0xFD,
                                       0,
                                       50,
                                       125,
                                       30,
                                       160,
                                       60, /* ×10 MHz */
                                       0x01 /* no further formula */,
                                       '\n',
                                       ' ',
                                       ' ',
                                       ' ',
                                       ' ',
                                       ' ',
                                       ' ' };
    memcpy(out, range, sizeof(range));
}

void edid_build(uint8_t out[EDID_SIZE], unsigned width, unsigned height)
{
    static const uint8_t magic[8] = { 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0 };
    static const uint8_t srgb[10] = { 0xEE, 0x91, 0xA3, 0x54, 0x4C, 0x99, 0x26, 0x0F, 0x50, 0x54 };
    const unsigned vendor = ('V' - '@') << 10 | ('T' - '@') << 5 | ('R' - '@');
    uint8_t sum = 0;

    memset(out, 0, EDID_SIZE);
    memcpy(out, magic, sizeof(magic));
    out[8] = vendor >> 8;
    out[9] = vendor & 0xFF;
    out[10] = 1;
    out[12] = 1;
    out[16] = 1;  /* week */
    out[17] = 34; /* year - 1990 */
    out[18] = 1;  /* EDID 1.4 */
    out[19] = 4;
    out[20] = 0xA5; /* digital, 8 bits a colour, DisplayPort */
    out[21] = MIN(width * 254 / (EDID_DPI * 100), 255);
    out[22] = MIN(height * 254 / (EDID_DPI * 100), 255);
    out[23] = 120;  /* gamma 2.2 */
    out[24] = 0x06; /* sRGB; the first timing is the native one */
    memcpy(out + 25, srgb, sizeof(srgb));
    out[35] = 0x21; /* 640×480, 800×600 */
    out[36] = 0x08; /* 1024×768 */
    for (unsigned i = 0; i < G_N_ELEMENTS(edid_standard_modes); i++) {
        unsigned x = edid_standard_modes[i].width, y = edid_standard_modes[i].height;
        out[38 + 2 * i] = x / 8 - 31;
        out[39 + 2 * i] = edid_aspect(x, y) << 6;
    }
    edid_put_timing(out + 54, width, height);
    edid_put_range(out + 72);
    edid_put_text(out + 90, 0xFC, "Vitrine");
    edid_put_text(out + 108, 0xFF, "1");
    for (unsigned i = 0; i < EDID_SIZE - 1; i++)
        sum += out[i];
    out[127] = -sum;
}
