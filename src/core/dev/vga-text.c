/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/dev/vga-internal.h"

/* Code page 437, the characters of the adapter's own font. 00h and FFh show as blanks. */
static const char *const vga_code_page_low[32] = {
    " ", "☺", "☻", "♥", "♦", "♣", "♠", "•", "◘", "○", "◙", "♂", "♀", "♪", "♫", "☼",
    "►", "◄", "↕", "‼", "¶", "§", "▬", "↨", "↑", "↓", "→", "←", "∟", "↔", "▲", "▼",
};
static const char *const vga_code_page_high[129] = {
    "⌂", "Ç", "ü", "é", "â", "ä", "à", "å", "ç", "ê", "ë", "è", "ï", "î", "ì", "Ä", "Å", "É", "æ",
    "Æ", "ô", "ö", "ò", "û", "ù", "ÿ", "Ö", "Ü", "¢", "£", "¥", "₧", "ƒ", "á", "í", "ó", "ú", "ñ",
    "Ñ", "ª", "º", "¿", "⌐", "¬", "½", "¼", "¡", "«", "»", "░", "▒", "▓", "│", "┤", "╡", "╢", "╖",
    "╕", "╣", "║", "╗", "╝", "╜", "╛", "┐", "└", "┴", "┬", "├", "─", "┼", "╞", "╟", "╚", "╔", "╩",
    "╦", "╠", "═", "╬", "╧", "╨", "╤", "╥", "╙", "╘", "╒", "╓", "╫", "╪", "┘", "┌", "█", "▄", "▌",
    "▐", "▀", "α", "ß", "Γ", "π", "Σ", "σ", "µ", "τ", "Φ", "Θ", "Ω", "δ", "∞", "φ", "ε", "∩", "≡",
    "±", "≥", "≤", "⌠", "⌡", "÷", "≈", "°", "∙", "·", "√", "ⁿ", "²", "■", " ",
};

bool vga_text_mode(const VgaRegs *regs, TextMode *m)
{
    const uint8_t *cr = regs->cr;
    unsigned lines = vga_shown_lines(regs), pan = regs->ar[0x13] & 15;
    unsigned compare = cr[0x18] | (cr[7] & 0x10) << 4 | (cr[9] & 0x40) << 3;

    if (vga_dispi_enabled(regs) || (regs->gr[6] & 1))
        return false;
    m->cell_width = regs->sr[1] & 1 ? 8 : 9;
    m->cell_height = (cr[9] & 0x1F) + 1;
    m->scale_x = regs->sr[1] & 8 ? 2 : 1;
    m->scale_y = cr[9] & 0x80 ? 2 : 1;
    m->columns = MIN(cr[1] + 1u, VGA_MAX_WIDTH / (m->cell_width * m->scale_x));
    m->rows = MAX(lines / (m->cell_height * m->scale_y), 1);
    m->width = m->columns * m->cell_width * m->scale_x;
    m->height = lines;
    m->start = ((cr[0x0C] << 8 | cr[0x0D]) + (cr[8] >> 5 & 3)) & 0xFFFF;
    m->pitch = cr[0x13] * 2;
    /* With nine dots, 8 stands for none and 0 for one. */
    m->pan = m->cell_width == 9 ? (pan >= 8 ? 0 : pan + 1) : pan & 7;
    m->cursor = cr[0x0A] & 0x20 ? -1 : cr[0x0E] << 8 | cr[0x0F];
    m->cursor_first = cr[0x0A] & 0x1F;
    m->cursor_last = cr[0x0B] & 0x1F;
    m->is_split = m->pan || (cr[8] & 0x1F) || compare + 1 < lines;
    return true;
}

static void vga_append_character(GString *text, uint8_t c)
{
    if (c < 32)
        g_string_append(text, vga_code_page_low[c]);
    else if (c < 127)
        g_string_append_c(text, c);
    else
        g_string_append(text, vga_code_page_high[c - 127]);
}

static void vga_append_row(GString *text, const uint32_t *vram, unsigned word, unsigned columns)
{
    unsigned used = 0;

    for (unsigned i = 0; i < columns; i++) {
        uint8_t c = vram[(word + i) & 0xFFFF];
        if (c != 0 && c != ' ' && c != 0xFF)
            used = i + 1;
    }
    for (unsigned i = 0; i < used; i++)
        vga_append_character(text, vram[(word + i) & 0xFFFF]);
    g_string_append_c(text, '\n');
}

char *vga_dup_text(Vga *vga, int *out_columns, int *out_rows, int *out_cursor_x, int *out_cursor_y)
{
    const uint32_t *vram = (const uint32_t *)vga->vram->host;
    int cursor_x = -1, cursor_y = -1;
    GString *text;
    TextMode mode;
    VgaRegs regs;

    machine_collect_writes(vga->pci.dev.machine, vga->vram);
    device_enter(&vga->pci.dev);
    regs = vga->regs;
    device_leave(&vga->pci.dev);
    if (!vga_text_mode(&regs, &mode))
        return NULL;
    text = g_string_new(NULL);
    for (unsigned row = 0; row < mode.rows; row++) {
        VgaLine line = vga_line(&regs, row * mode.cell_height * mode.scale_y, true);
        int column = mode.cursor - (int)line.word;

        vga_append_row(text, vram, line.word, mode.columns);
        if (mode.cursor >= 0 && column >= 0 && column < (int)mode.columns) {
            cursor_x = column;
            cursor_y = row;
        }
    }
    if (out_columns)
        *out_columns = mode.columns;
    if (out_rows)
        *out_rows = mode.rows;
    if (out_cursor_x)
        *out_cursor_x = cursor_x;
    if (out_cursor_y)
        *out_cursor_y = cursor_y;
    return g_string_free(text, FALSE);
}
