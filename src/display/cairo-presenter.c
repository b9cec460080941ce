/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* The picture as a grid of tiles, each a render node that is kept until something in it changes:
 * GTK then repaints only the changed tiles. */

#include "display/geometry.h"
#include "display/presenter.h"

#define TILE_WIDTH 128
#define TILE_HEIGHT 64
/* Smoothing mixes a pixel with its neighbours, those of the next tile too. */
#define MARGIN 2u

struct _VitrineCairoPresenter {
    GtkWidget parent;
    VitrineFrame *frame; /* owned */
    GPtrArray *tiles;    /* of GskRenderNode; NULL: to be drawn */
    unsigned n_columns, n_rows;
    DisplayGeometry geometry; /* that the tiles were drawn for */
};

G_DEFINE_FINAL_TYPE(VitrineCairoPresenter, vitrine_cairo_presenter, GTK_TYPE_WIDGET)

static void tile_free(gpointer node)
{
    if (node)
        gsk_render_node_unref(node);
}

static void presenter_forget_tiles(VitrineCairoPresenter *self)
{
    unsigned width = vitrine_frame_get_width(self->frame),
             height = vitrine_frame_get_height(self->frame);
    self->n_columns = (width + TILE_WIDTH - 1) / TILE_WIDTH;
    self->n_rows = (height + TILE_HEIGHT - 1) / TILE_HEIGHT;
    g_ptr_array_set_size(self->tiles, 0);
    g_ptr_array_set_size(self->tiles, (int)(self->n_columns * self->n_rows));
}

static void on_resized(VitrineFrame *frame, VitrineCairoPresenter *self)
{
    presenter_forget_tiles(self);
    gtk_widget_queue_draw(GTK_WIDGET(self));
}

static void on_damaged(VitrineFrame *frame, const VitrineRect *rect, VitrineCairoPresenter *self)
{
    int margin = self->geometry.nearest ? 0 : (int)MARGIN;
    int first_column = MAX(rect->x - margin, 0) / TILE_WIDTH,
        first_row = MAX(rect->y - margin, 0) / TILE_HEIGHT;
    int last_column =
        MIN((rect->x + rect->width + margin - 1) / TILE_WIDTH, (int)self->n_columns - 1);
    int last_row = MIN((rect->y + rect->height + margin - 1) / TILE_HEIGHT, (int)self->n_rows - 1);
    for (int row = first_row; row <= last_row; row++)
        for (int column = first_column; column <= last_column; column++) {
            gpointer *tile = &g_ptr_array_index(self->tiles, row * (int)self->n_columns + column);
            g_clear_pointer(tile, gsk_render_node_unref);
        }
    gtk_widget_queue_draw(GTK_WIDGET(self));
}

/* Where a guest coordinate lands, on device pixels, so that tiles meet without a seam. */
static double edge(double origin, double zoom, double scale, unsigned guest)
{
    return origin + (double)(long)(guest * zoom + 0.5) / scale;
}

/* A render node replays its drawing later, from a snapshot that cairo takes of the source when that
 * is finished: so each tile has a source of its own size, and the guest's memory is read here and
 * now. */
static GskRenderNode *presenter_draw_tile(VitrineCairoPresenter *self, double scale,
                                          unsigned column, unsigned row)
{
    const DisplayGeometry *g = &self->geometry;
    unsigned width = vitrine_frame_get_width(self->frame), stride;
    unsigned height = vitrine_frame_get_height(self->frame);
    const uint8_t *pixels = vitrine_frame_get_pixels(self->frame, &stride);
    unsigned left = column * TILE_WIDTH, top = row * TILE_HEIGHT;
    unsigned right = MIN(left + TILE_WIDTH, width), bottom = MIN(top + TILE_HEIGHT, height);
    unsigned source_left = left - MIN(left, MARGIN), source_top = top - MIN(top, MARGIN);
    unsigned source_right = MIN(right + MARGIN, width),
             source_bottom = MIN(bottom + MARGIN, height);
    double x0 = edge(g->x, g->zoom, scale, left), x1 = edge(g->x, g->zoom, scale, right);
    double y0 = edge(g->y, g->zoom, scale, top), y1 = edge(g->y, g->zoom, scale, bottom);
    cairo_surface_t *source = cairo_image_surface_create_for_data(
        (unsigned char *)pixels + (size_t)source_top * stride + source_left * 4, CAIRO_FORMAT_RGB24,
        (int)(source_right - source_left), (int)(source_bottom - source_top), (int)stride);
    GskRenderNode *node = gsk_cairo_node_new(
        &GRAPHENE_RECT_INIT((float)x0, (float)y0, (float)(x1 - x0), (float)(y1 - y0)));
    cairo_t *cr = gsk_cairo_node_get_draw_context(node);
    cairo_rectangle(cr, x0, y0, x1 - x0, y1 - y0);
    cairo_clip(cr);
    cairo_translate(cr, g->x, g->y);
    cairo_scale(cr, g->width / width, g->height / height);
    cairo_set_source_surface(cr, source, source_left, source_top);
    cairo_pattern_set_filter(cairo_get_source(cr),
                             g->nearest ? CAIRO_FILTER_NEAREST : CAIRO_FILTER_GOOD);
    cairo_pattern_set_extend(cairo_get_source(cr), CAIRO_EXTEND_PAD);
    cairo_paint(cr);
    cairo_destroy(cr);
    cairo_surface_finish(source);
    cairo_surface_destroy(source);
    return node;
}

static void presenter_snapshot(GtkWidget *widget, GtkSnapshot *snapshot)
{
    VitrineCairoPresenter *self = VITRINE_CAIRO_PRESENTER(widget);
    unsigned width = vitrine_frame_get_width(self->frame),
             height = vitrine_frame_get_height(self->frame), stride;
    const uint8_t *pixels = vitrine_frame_get_pixels(self->frame, &stride);
    DisplayPlace place;
    DisplayGeometry geometry;
    if (!pixels)
        return;
    presenter_place(widget, &place);
    display_geometry_fit(width, height, &place, &geometry);
    if (geometry.width != self->geometry.width || geometry.x != self->geometry.x ||
        geometry.y != self->geometry.y || geometry.height != self->geometry.height) {
        presenter_forget_tiles(self);
        self->geometry = geometry;
    }
    for (unsigned i = 0; i < self->tiles->len; i++) {
        gpointer *tile = &g_ptr_array_index(self->tiles, i);
        if (!*tile)
            *tile =
                presenter_draw_tile(self, place.scale, i % self->n_columns, i / self->n_columns);
        gtk_snapshot_append_node(snapshot, *tile);
    }
}

static void vitrine_cairo_presenter_dispose(GObject *object)
{
    VitrineCairoPresenter *self = VITRINE_CAIRO_PRESENTER(object);
    if (self->frame)
        g_signal_handlers_disconnect_by_data(self->frame, self);
    g_clear_object(&self->frame);
    g_clear_pointer(&self->tiles, g_ptr_array_unref);
    G_OBJECT_CLASS(vitrine_cairo_presenter_parent_class)->dispose(object);
}

static void vitrine_cairo_presenter_class_init(VitrineCairoPresenterClass *klass)
{
    G_OBJECT_CLASS(klass)->dispose = vitrine_cairo_presenter_dispose;
    GTK_WIDGET_CLASS(klass)->snapshot = presenter_snapshot;
}

static void vitrine_cairo_presenter_init(VitrineCairoPresenter *self)
{
    self->tiles = g_ptr_array_new_with_free_func(tile_free);
}

GtkWidget *vitrine_cairo_presenter_new(VitrineFrame *frame)
{
    VitrineCairoPresenter *self = g_object_new(VITRINE_TYPE_CAIRO_PRESENTER, NULL);
    self->frame = g_object_ref(frame);
    g_signal_connect(frame, "resized", G_CALLBACK(on_resized), self);
    g_signal_connect(frame, "damaged", G_CALLBACK(on_damaged), self);
    presenter_forget_tiles(self);
    return GTK_WIDGET(self);
}
