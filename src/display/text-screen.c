/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "display/text-screen.h"
#include <string.h>

#define MAX_COLUMNS 400
#define MAX_ROWS 200

TextScreen *text_screen_new(const char *text, int columns, int rows, int cursor_x, int cursor_y)
{
    if (columns < 1 || rows < 1 || columns > MAX_COLUMNS || rows > MAX_ROWS ||
        !g_utf8_validate(text, -1, NULL))
        return NULL;
    TextScreen *screen = g_new(TextScreen, 1);
    bool is_shown = cursor_x >= 0 && cursor_x < columns && cursor_y >= 0 && cursor_y < rows;
    *screen = (TextScreen){ columns, rows, is_shown ? cursor_x : -1, is_shown ? cursor_y : -1,
                            g_new(gunichar, columns * rows) };
    for (int i = 0; i < columns * rows; i++)
        screen->cells[i] = ' ';
    int x = 0, y = 0;
    for (const char *at = text; *at && y < rows; at = g_utf8_next_char(at)) {
        gunichar c = g_utf8_get_char(at);
        if (c == '\n') {
            x = 0;
            y++;
        } else if (x < columns) {
            screen->cells[y * columns + x++] = g_unichar_isprint(c) ? c : ' ';
        }
    }
    return screen;
}

void text_screen_free(TextScreen *screen)
{
    if (!screen)
        return;
    g_free(screen->cells);
    g_free(screen);
}

static int n_cells(const TextScreen *screen)
{
    return screen->columns * screen->rows;
}

bool text_screen_equal(const TextScreen *a, const TextScreen *b)
{
    if (!a || !b)
        return a == b;
    return a->columns == b->columns && a->rows == b->rows &&
           memcmp(a->cells, b->cells, (size_t)n_cells(a) * sizeof *a->cells) == 0;
}

int text_screen_cell_at(const TextScreen *screen, double x, double y)
{
    int column = (int)(CLAMP(x, 0, 1) * screen->columns),
        row = (int)(CLAMP(y, 0, 1) * screen->rows);
    return MIN(row, screen->rows - 1) * screen->columns + MIN(column, screen->columns - 1);
}

TextSpan text_screen_span(const TextScreen *screen, int cell, int other)
{
    return (TextSpan){ CLAMP(MIN(cell, other), 0, n_cells(screen)),
                       CLAMP(MAX(cell, other) + 1, 0, n_cells(screen)) };
}

TextSpan text_screen_line_at(const TextScreen *screen, int cell)
{
    int row = CLAMP(cell, 0, n_cells(screen) - 1) / screen->columns;
    return (TextSpan){ row * screen->columns, (row + 1) * screen->columns };
}

/* What people mean by a double click on a console: a path, an address, an option. */
static bool is_word(gunichar c)
{
    return g_unichar_isalnum(c) || (c < 128 && strchr("-_./~:@%+#=&?", (int)c) && c);
}

TextSpan text_screen_word_at(const TextScreen *screen, int cell)
{
    TextSpan line = text_screen_line_at(screen, cell), word = { cell, cell + 1 };
    if (cell < 0 || cell >= n_cells(screen) || !is_word(screen->cells[cell]))
        return word;
    while (word.start > line.start && is_word(screen->cells[word.start - 1]))
        word.start--;
    while (word.end < line.end && is_word(screen->cells[word.end]))
        word.end++;
    return word;
}

TextSpan text_screen_all(const TextScreen *screen)
{
    return (TextSpan){ 0, n_cells(screen) };
}

bool text_screen_span_in_row(const TextScreen *screen, TextSpan span, int row, int *out_first,
                             int *out_last)
{
    int start = row * screen->columns, end = start + screen->columns;
    if (row < 0 || row >= screen->rows || span.end <= start || span.start >= end)
        return false;
    *out_first = MAX(span.start, start) - start;
    *out_last = MIN(span.end, end) - start;
    return true;
}

char *text_screen_dup_span(const TextScreen *screen, TextSpan span)
{
    GString *text = g_string_new(NULL);
    int first, last;
    for (int row = 0; row < screen->rows; row++) {
        const gunichar *cells = screen->cells + row * screen->columns;
        if (!text_screen_span_in_row(screen, span, row, &first, &last))
            continue;
        bool goes_on = span.end > (row + 1) * screen->columns;
        while (last > first && cells[last - 1] == ' ')
            last--;
        for (int x = first; x < last; x++)
            g_string_append_unichar(text, cells[x]);
        if (goes_on)
            g_string_append_c(text, '\n');
    }
    return g_string_free(text, FALSE);
}

static bool matches_at(const TextScreen *screen, int at, const gunichar *needle, glong length)
{
    for (glong i = 0; i < length; i++)
        if (g_unichar_tolower(screen->cells[at + i]) != needle[i])
            return false;
    return true;
}

GArray *text_screen_find(const TextScreen *screen, const char *needle)
{
    GArray *found = g_array_new(FALSE, FALSE, sizeof(TextSpan));
    glong length;
    g_autofree gunichar *wanted = g_utf8_to_ucs4_fast(needle, -1, &length);
    for (glong i = 0; i < length; i++)
        wanted[i] = g_unichar_tolower(wanted[i]);
    for (int at = 0; length > 0 && at + length <= n_cells(screen);) {
        if (!matches_at(screen, at, wanted, length)) {
            at++;
            continue;
        }
        TextSpan span = { at, at + (int)length };
        g_array_append_val(found, span);
        at = span.end;
    }
    return found;
}
