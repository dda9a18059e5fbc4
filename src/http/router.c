/* SPDX-License-Identifier: Apache-2.0 */
/* A tree with a node for each segment of the patterns. A node has few children, so they are
 * a list. */
#include "http/router.h"

#include <assert.h>
#include <stdlib.h>

struct node {
    struct node *next;     /* the next child of the same parent */
    struct node *constant; /* children with a constant segment */
    struct node *variable; /* the child for any other segment */
    struct str segment;
    bool is_end;
    int rows[HTTP_METHODS];
};

struct router {
    struct node *root;
};

static struct node *node_new(struct str segment)
{
    struct node *node = calloc(1, sizeof(*node));

    if (!node) abort();
    node->segment = segment;
    for (int i = 0; i < HTTP_METHODS; i++)
        node->rows[i] = -1;
    return node;
}

struct router *router_new(void)
{
    struct router *router = calloc(1, sizeof(*router));

    if (!router) abort();
    router->root = node_new(STR(""));
    return router;
}

static struct node *find_constant(const struct node *parent, struct str segment)
{
    for (struct node *node = parent->constant; node; node = node->next)
        if (str_equal(node->segment, segment)) return node;
    return NULL;
}

static struct node *add_child(struct node *parent, struct str segment)
{
    if (segment.len > 1 && segment.data[0] == '{' && segment.data[segment.len - 1] == '}') {
        if (!parent->variable) parent->variable = node_new(segment);
        return parent->variable;
    }
    struct node *node = find_constant(parent, segment);
    if (node) return node;
    node = node_new(segment);
    node->next = parent->constant;
    parent->constant = node;
    return node;
}

/* Takes the next segment off a path that begins with '/'. An empty path has none left; "/a/"
 * has an empty one behind "a". */
static bool next_segment(struct str *path, struct str *ret_segment)
{
    if (path->len == 0) return false;
    const char *start = path->data + 1;
    const char *slash = memchr(start, '/', path->len - 1);
    *ret_segment = (struct str){start, slash ? (size_t)(slash - start) : path->len - 1};
    path->data = start + ret_segment->len;
    path->len -= 1 + ret_segment->len;
    return true;
}

void router_add(struct router *router, enum http_method method, const char *pattern, int row)
{
    struct str path = str_of(pattern), segment;
    struct node *node = router->root;
    size_t variables = 0;

    assert(pattern[0] == '/' && row >= 0 && (unsigned)method < HTTP_METHODS);
    /* The pattern is the caller's constant; the nodes point into it. */
    while (next_segment(&path, &segment)) {
        node = add_child(node, segment);
        variables += segment.len > 0 && segment.data[0] == '{';
    }
    assert(variables <= ROUTER_VARIABLES_MAX);
    assert(node->rows[method] < 0);
    node->is_end = true;
    node->rows[method] = row;
}

/* A constant segment is tried first; when its branch leads nowhere the variable is. Patterns
 * are few and short, so going back costs nothing. */
static const struct node *walk(const struct node *node, struct str path, struct route_match *match)
{
    struct str segment;

    if (!next_segment(&path, &segment)) return node->is_end ? node : NULL;
    const struct node *constant = find_constant(node, segment);
    const struct node *end = constant ? walk(constant, path, match) : NULL;
    if (end || !node->variable || segment.len == 0) return end;
    match->variables[match->variable_count++] = segment;
    end = walk(node->variable, path, match);
    if (!end) match->variable_count--;
    return end;
}

bool router_find(const struct router *router, struct str path, struct route_match *ret_match)
{
    struct route_match match = {0};

    if (path.len == 0 || path.data[0] != '/') return false;
    const struct node *end = walk(router->root, path, &match);
    if (!end) return false;
    memcpy(match.rows, end->rows, sizeof(match.rows));
    *ret_match = match;
    return true;
}

static void node_free(struct node *node)
{
    while (node) {
        struct node *next = node->next;
        node_free(node->constant);
        node_free(node->variable);
        free(node);
        node = next;
    }
}

void router_free(struct router *router)
{
    if (!router) return;
    node_free(router->root);
    free(router);
}
