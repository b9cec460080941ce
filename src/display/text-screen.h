/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* What a guest's text screen says, cell by cell: for selecting, searching and reading aloud. Pure;
 * included by text-source.h and the display widget. */

#include <glib.h>
#include <stdbool.h>

typedef struct {
    int columns, rows;
    int cursor_x, cursor_y; /* -1: hidden */
    gunichar *cells;        /* owned; rows × columns, blanks are spaces */
} TextScreen;

/* Cells from @start up to, not including, @end, counted along the rows. */
typedef struct {
    int start, end;
} TextSpan;

/* @text: lines of UTF-8, as org.vitrine.Machine1.Text gives them. NULL when the size cannot be that
 * of a text screen. */
TextScreen *text_screen_new(const char *text, int columns, int rows, int cursor_x, int cursor_y);
void text_screen_free(TextScreen *screen);
/* The same characters; the cursor does not matter. */
bool text_screen_equal(const TextScreen *a, const TextScreen *b);

/* The cell at a place of the picture, each coordinate from 0 to 1; clamped. */
int text_screen_cell_at(const TextScreen *screen, double x, double y);
/* Both cells and what is between, whichever comes first. */
TextSpan text_screen_span(const TextScreen *screen, int cell, int other);
TextSpan text_screen_word_at(const TextScreen *screen, int cell);
TextSpan text_screen_line_at(const TextScreen *screen, int cell);
TextSpan text_screen_all(const TextScreen *screen);
/* Of row @row, the columns of @span: [*out_first, *out_last). False: none. */
bool text_screen_span_in_row(const TextScreen *screen, TextSpan span, int row, int *out_first,
                             int *out_last);
/* UTF-8; a line a row, blanks at the ends of rows cut. */
char *text_screen_dup_span(const TextScreen *screen, TextSpan span);
/* Every place of @needle, whatever its case, also where it wraps; array of TextSpan. */
GArray *text_screen_find(const TextScreen *screen, const char *needle);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(TextScreen, text_screen_free)
