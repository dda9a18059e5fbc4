/* SPDX-License-Identifier: Apache-2.0 */
#include "notify/templates.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>

#include "base/array.h"

enum { FILE_MOST = 64 * 1024, DEPTH_MOST = 8, SHOWN_MOST = 40 };

static const struct {
    const char *name;
    unsigned kind;
} value_texts[MAIL_VALUE_COUNT] = {
#define X(name, word, kind) [name] = {word, kind},
    MAIL_VALUES(X)
#undef X
};

/* ---- which files there are ---- */

enum { LAYOUT_TEXT = TOPIC_COUNT, LAYOUT_HTML, FILE_COUNT };

static const struct file_kind {
    unsigned kinds; /* of values; 0: there is no such file */
    int needed;     /* without this value it would be useless; -1: none */
} file_kinds[FILE_COUNT] = {
#define BOOKING (MAIL_OF_ALL | MAIL_OF_EVENT | MAIL_OF_BOOKING)
#define ACCOUNT (MAIL_OF_ALL | MAIL_OF_ACCOUNT)
#define LAYOUT  (MAIL_OF_ALL | MAIL_OF_LAYOUT)
    [TOPIC_BOOKING_CONFIRMED] = {BOOKING, -1},
    [TOPIC_BOOKING_WAITING] = {BOOKING, -1},
    [TOPIC_BOOKING_PROMOTED] = {BOOKING, -1},
    [TOPIC_BOOKING_CANCELLED] = {BOOKING, -1},
    [TOPIC_EVENT_CHANGED] = {BOOKING, -1},
    [TOPIC_EVENT_CANCELLED] = {BOOKING, -1},
    [TOPIC_WELCOME] = {ACCOUNT, -1},
    [TOPIC_CONFIRM_EMAIL] = {ACCOUNT, MAIL_LINK},
    [TOPIC_PASSWORD_RESET] = {ACCOUNT, MAIL_LINK},
    [TOPIC_PASSWORD_CHANGED] = {ACCOUNT, -1},
    [TOPIC_EMAIL_CHANGED] = {ACCOUNT, -1},
    [TOPIC_WEBHOOK_DISABLED] = {MAIL_OF_ALL | MAIL_OF_WEBHOOK, -1},
    [LAYOUT_TEXT] = {LAYOUT, MAIL_CONTENT},
    [LAYOUT_HTML] = {LAYOUT, MAIL_CONTENT},
#undef BOOKING
#undef ACCOUNT
#undef LAYOUT
};

bool mail_topic_has_template(enum topic topic)
{
    return topic < TOPIC_COUNT && file_kinds[topic].kinds != 0;
}

/* The longest is "account.password_changed.txt". */
typedef char file_name[48];

static const char *write_file_name(int file, file_name name)
{
    if (file == LAYOUT_HTML) return "layout.html";
    if (file == LAYOUT_TEXT) return "layout.txt";
    snprintf(name, sizeof(file_name), "%s.txt", topic_names[file]);
    return name;
}

/* -1: no file of ours. */
static int file_of_name(const char *wanted)
{
    file_name name;
    for (int file = 0; file < FILE_COUNT; file++)
        if (file_kinds[file].kinds && strcmp(write_file_name(file, name), wanted) == 0) return file;
    return -1;
}

/* ---- what a template is when it was read ---- */

enum part_kind { PART_TEXT, PART_VALUE, PART_WITH, PART_WITHOUT, PART_END };

struct part {
    enum part_kind kind;
    struct str text; /* PART_TEXT */
    enum mail_value value;
    size_t behind; /* PART_WITH, PART_WITHOUT: the part after its end */
};

struct parts {
    struct part *items;
    size_t count, size;
};

struct template
{
    struct parts subject, body;
};

struct mail_templates {
    struct template files[FILE_COUNT];
};

/* ---- reading ---- */

struct parsing {
    struct arena *arena;
    struct str path; /* for people */
    unsigned kinds;
    int line;
    bool uses[MAIL_VALUE_COUNT];
    const char *error;
};

static bool refuse(struct parsing *parsing, struct str what)
{
    parsing->error = arena_printf(parsing->arena, "%.*s, line %d: %.*s", STR_FMT(parsing->path),
                                  parsing->line, STR_FMT(what))
                         .data;
    return false;
}

static struct str names_known(const struct parsing *parsing)
{
    struct buf out = {0};
    for (int value = 0; value < MAIL_VALUE_COUNT; value++) {
        if (!(value_texts[value].kind & parsing->kinds)) continue;
        buf_printf(&out, out.len ? ", %s" : "%s", value_texts[value].name);
    }
    struct str names = arena_str(parsing->arena, buf_str(&out));
    buf_free(&out);
    return names;
}

static bool find_value(struct parsing *parsing, struct str name, enum mail_value *ret_value)
{
    for (int value = 0; value < MAIL_VALUE_COUNT; value++) {
        if (!(value_texts[value].kind & parsing->kinds)) continue;
        if (!str_equal(name, str_of(value_texts[value].name))) continue;
        *ret_value = (enum mail_value)value;
        parsing->uses[value] = true;
        return true;
    }
    if (name.len > SHOWN_MOST) name.len = SHOWN_MOST;
    name.len = str_utf8_prefix(name);
    return refuse(parsing,
                  arena_printf(parsing->arena, "there is no value \"%.*s\" here; there are %.*s",
                               STR_FMT(name), STR_FMT(names_known(parsing))));
}

static int lines_in(struct str text)
{
    int lines = 0;
    for (size_t i = 0; i < text.len; i++)
        lines += text.data[i] == '\n';
    return lines;
}

static bool is_blank(struct str text)
{
    return str_trim(text).len == 0 && !memchr(text.data ? text.data : "", '\n', text.len);
}

/* What stands before a tag that is alone on its line loses its blanks, and 'rest' the line's end.
 */
static struct str swallow_line(struct str source, struct str before, struct str *rest)
{
    const char *line = before.len ? memrchr(before.data, '\n', before.len) : NULL;
    size_t begin = line ? (size_t)(line - before.data) + 1 : 0;
    bool first = line || before.data == source.data || before.data[-1] == '\n';
    struct str blanks = {before.data + begin, before.len - begin};
    struct str behind = *rest, to_end = str_cut(&behind, '\n');
    if (!first || !is_blank(blanks) || !is_blank(to_end)) return before;
    *rest = behind;
    return (struct str){before.data, begin};
}

struct tag {
    enum part_kind kind;
    struct str name;
};

static struct tag read_tag(struct str inside)
{
    static const char marks[] = {[PART_WITH] = '#', [PART_WITHOUT] = '^', [PART_END] = '/'};
    inside = str_trim(inside);
    for (int kind = PART_WITH; kind <= PART_END; kind++)
        if (inside.len && inside.data[0] == marks[kind])
            return (struct tag){(enum part_kind)kind,
                                str_trim((struct str){inside.data + 1, inside.len - 1})};
    bool comment = inside.len && inside.data[0] == '!';
    return (struct tag){comment ? PART_TEXT : PART_VALUE, inside};
}

static void add_text(struct parsing *parsing, struct parts *parts, struct str text)
{
    if (text.len)
        *ARRAY_PUSH(parsing->arena, parts) = (struct part){.kind = PART_TEXT, .text = text};
}

/* Adds the part that the tag is; 'open' holds the sections that have begun. */
static bool add_tag(struct parsing *parsing, struct parts *parts, struct tag tag,
                    size_t open[DEPTH_MOST], size_t *depth)
{
    enum mail_value value = MAIL_NAME;
    if (tag.kind == PART_TEXT) return true; /* a comment */
    if (!find_value(parsing, tag.name, &value)) return false;
    if (tag.kind == PART_END) {
        if (*depth == 0 || parts->items[open[*depth - 1]].value != value)
            return refuse(parsing, arena_printf(parsing->arena,
                                                "{{/%.*s}} ends what was not begun with {{#%.*s}}",
                                                STR_FMT(tag.name), STR_FMT(tag.name)));
        parts->items[open[--*depth]].behind = parts->count;
        return true;
    }
    if (tag.kind != PART_VALUE) {
        if (*depth == DEPTH_MOST)
            return refuse(parsing, STR("sections stand in each other more than eight deep"));
        open[(*depth)++] = parts->count;
    }
    *ARRAY_PUSH(parsing->arena, parts) = (struct part){.kind = tag.kind, .value = value};
    return true;
}

static bool parse(struct parsing *parsing, struct str source, struct parts *parts)
{
    size_t open[DEPTH_MOST], depth = 0;
    int lines[DEPTH_MOST];
    for (struct str rest = source; rest.len;) {
        const char *begin = memmem(rest.data, rest.len, "{{", 2);
        struct str before = {rest.data, begin ? (size_t)(begin - rest.data) : rest.len};
        parsing->line += lines_in(before);
        rest = (struct str){rest.data + before.len, rest.len - before.len};
        if (!begin) {
            add_text(parsing, parts, before);
            break;
        }
        const char *end = memmem(rest.data, rest.len, "}}", 2);
        struct str inside = {rest.data + 2, end ? (size_t)(end - rest.data) - 2 : 0};
        if (!end || lines_in(inside))
            return refuse(parsing, STR("{{ is not closed by }} on its line"));
        struct tag tag = read_tag(inside);
        rest = (struct str){end + 2, rest.len - (size_t)(end + 2 - rest.data)};
        struct str behind = rest;
        if (tag.kind != PART_VALUE) before = swallow_line(source, before, &rest);
        add_text(parsing, parts, before);
        size_t was = depth;
        if (!add_tag(parsing, parts, tag, open, &depth)) return false;
        if (depth > was) lines[was] = parsing->line;
        parsing->line += behind.len != rest.len;
    }
    if (depth == 0) return true;
    parsing->line = lines[depth - 1];
    const char *name = value_texts[parts->items[open[depth - 1]].value].name;
    return refuse(parsing,
                  arena_printf(parsing->arena, "{{#%s}} is not ended by {{/%s}}", name, name));
}

/* The first two lines; leaves the body in *rest. */
static bool parse_subject(struct parsing *parsing, struct str *rest, struct parts *parts)
{
    static const char mark[] = "Subject:";
    struct str line = str_cut(rest, '\n');
    struct str value = str_trim(line);
    if (!str_starts(value, STR("Subject:")) || value.len == sizeof(mark) - 1)
        return refuse(parsing, STR("it begins with \"Subject: ...\", and this one does not"));
    value = str_trim((struct str){value.data + sizeof(mark) - 1, value.len - sizeof(mark) + 1});
    if (!parse(parsing, value, parts)) return false;
    parsing->line = 2;
    if (str_trim(str_cut(rest, '\n')).len)
        return refuse(parsing, STR("an empty line is needed behind the subject"));
    parsing->line = 3;
    return true;
}

static bool parse_file(struct parsing *parsing, int file, struct str source,
                       struct template *template)
{
    parsing->line = 1;
    parsing->kinds = file_kinds[file].kinds;
    if (file < TOPIC_COUNT && !parse_subject(parsing, &source, &template->subject)) return false;
    while (source.len && strchr("\n ", source.data[source.len - 1]))
        source.len--;
    if (!source.len) return refuse(parsing, STR("there is nothing to be said"));
    if (!parse(parsing, source, &template->body)) return false;
    int needed = file_kinds[file].needed;
    if (needed >= 0 && !parsing->uses[needed])
        return refuse(parsing, arena_printf(parsing->arena, "{{%s}} is missing, and needed here",
                                            value_texts[needed].name));
    return true;
}

/* The file with LF between its lines; false after an error. */
static bool read_file(struct parsing *parsing, const char *path, struct str *ret_source)
{
    FILE *file = fopen(path, "re");
    char *text = arena_alloc(parsing->arena, FILE_MOST + 1);
    size_t len = file ? fread(text, 1, FILE_MOST + 1, file) : 0, kept = 0;
    int error = !file || ferror(file) ? errno : 0;
    if (file) fclose(file);
    if (error) {
        parsing->error = arena_printf(parsing->arena, "%s: %s", path, strerror(error)).data;
        return false;
    }
    if (len > FILE_MOST) return refuse(parsing, STR("it is longer than 64 KiB"));
    for (size_t i = 0; i < len; i++)
        if (text[i] != '\r') text[kept++] = text[i];
    struct str source = {text, kept};
    size_t good = str_utf8_prefix(source);
    if (good < source.len) {
        parsing->line += lines_in((struct str){text, good});
        return refuse(parsing, STR("it is not UTF-8"));
    }
    if (str_starts(source, STR("\xef\xbb\xbf"))) source = (struct str){text + 3, kept - 3};
    *ret_source = source;
    return true;
}

static bool has_suffix(const char *name, const char *suffix)
{
    size_t len = strlen(name), end = strlen(suffix);
    return len > end && strcmp(name + len - end, suffix) == 0;
}

/* One name in the operator's directory; what is no template by its name is not looked at. */
static const char *replace_by(struct mail_templates *templates, const char *directory,
                              const char *name, struct arena *arena)
{
    if (name[0] == '.' || (!has_suffix(name, ".txt") && !has_suffix(name, ".html"))) return NULL;
    struct parsing parsing = {.arena = arena, .line = 1};
    parsing.path = arena_printf(arena, "%s/%s", directory, name);
    int file = file_of_name(name);
    if (file < 0) {
        struct buf out = {0};
        file_name known;
        for (int i = 0; i < FILE_COUNT; i++)
            if (file_kinds[i].kinds)
                buf_printf(&out, out.len ? ", %s" : "%s", write_file_name(i, known));
        const char *error = arena_printf(arena, "%.*s: no mail has that name; there are %.*s",
                                         STR_FMT(parsing.path), STR_FMT(buf_str(&out)))
                                .data;
        buf_free(&out);
        return error;
    }
    struct str source;
    templates->files[file] = (struct template){0};
    if (read_file(&parsing, parsing.path.data, &source))
        parse_file(&parsing, file, source, &templates->files[file]);
    return parsing.error;
}

static const char *replace_from(struct mail_templates *templates, const char *directory,
                                struct arena *arena)
{
    DIR *entries = opendir(directory);
    if (!entries)
        return arena_printf(arena, "MAIL_TEMPLATES is \"%s\": %s", directory, strerror(errno)).data;
    const char *error = NULL;
    for (const struct dirent *entry; !error && (entry = readdir(entries));)
        error = replace_by(templates, directory, entry->d_name, arena);
    closedir(entries);
    return error;
}

struct mail_templates *mail_templates_read(const char *directory, struct arena *arena,
                                           const char **ret_error)
{
    struct mail_templates *templates = ARENA_NEW(arena, struct mail_templates);
    for (size_t i = 0; i < mail_source_count; i++) {
        const struct mail_source *source = &mail_sources[i];
        struct parsing parsing = {.arena = arena, .path = str_of(source->name)};
        int file = file_of_name(source->name);
        bool good =
            file >= 0 && parse_file(&parsing, file, str_of(source->text), &templates->files[file]);
        if (!good) { /* a test sees it before anybody else does */
            *ret_error = parsing.error ? parsing.error : source->name;
            return NULL;
        }
    }
    const char *error = directory ? replace_from(templates, directory, arena) : NULL;
    if (!error) return templates;
    *ret_error = error;
    return NULL;
}

/* ---- rendering ---- */

enum manner { AS_TEXT, AS_HTML, AS_LAYOUT /* HTML, but what is put in was made so */ };

static void add_escaped(struct buf *out, struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (c == '&')
            buf_add_str(out, STR("&amp;"));
        else if (c == '<')
            buf_add_str(out, STR("&lt;"));
        else if (c == '>')
            buf_add_str(out, STR("&gt;"));
        else if (c == '"')
            buf_add_str(out, STR("&quot;"));
        else if (c == '\'')
            buf_add_str(out, STR("&#39;"));
        else
            buf_add_char(out, c);
    }
}

static void add_value(struct buf *out, enum mail_value value, struct str text, enum manner manner)
{
    bool link = value == MAIL_LINK || value == MAIL_URL;
    if (manner == AS_TEXT || (manner == AS_LAYOUT && value == MAIL_CONTENT)) {
        buf_add_str(out, text);
    } else if (manner == AS_HTML && link) {
        buf_add_str(out, STR("<a href=\""));
        add_escaped(out, text);
        buf_add_str(out, STR("\">"));
        add_escaped(out, text);
        buf_add_str(out, STR("</a>"));
    } else {
        add_escaped(out, text);
    }
}

static struct str render(const struct parts *parts, const struct mail_values *values,
                         enum manner manner, struct arena *arena)
{
    struct buf out = {0};
    for (size_t i = 0; i < parts->count;) {
        const struct part *part = &parts->items[i++];
        bool there = values->items[part->value].len > 0;
        if (part->kind == PART_TEXT && manner == AS_HTML)
            add_escaped(&out, part->text);
        else if (part->kind == PART_TEXT)
            buf_add_str(&out, part->text);
        else if (part->kind == PART_VALUE)
            add_value(&out, part->value, values->items[part->value], manner);
        else if (there != (part->kind == PART_WITH))
            i = part->behind;
    }
    struct str text = arena_str(arena, buf_str(&out));
    buf_free(&out);
    return text;
}

/* Paragraphs of lines. */
static struct str paragraphs(struct str html, struct arena *arena)
{
    struct buf out = {0};
    bool inside = false;
    while (html.len) {
        struct str line = str_trim(str_cut(&html, '\n'));
        if (line.len && !inside) buf_add_str(&out, STR("<p>"));
        if (line.len && inside) buf_add_str(&out, STR("<br>\n"));
        if (!line.len && inside) buf_add_str(&out, STR("</p>\n"));
        buf_add_str(&out, line);
        inside = line.len > 0;
    }
    if (inside) buf_add_str(&out, STR("</p>"));
    struct str text = arena_str(arena, buf_str(&out));
    buf_free(&out);
    return text;
}

/* Without more than one empty line at a time, and none at the ends. */
static struct str tidy_lines(struct str text, struct arena *arena)
{
    struct buf out = {0};
    int breaks = 0;
    while (text.len) {
        struct str line = str_cut(&text, '\n');
        while (line.len && line.data[line.len - 1] == ' ')
            line.len--;
        if (line.len) {
            if (out.len) buf_add_str(&out, breaks > 1 ? STR("\n\n") : STR("\n"));
            buf_add_str(&out, line);
            breaks = 0;
        }
        breaks++;
    }
    buf_add_char(&out, '\n');
    struct str tidy = arena_str(arena, buf_str(&out));
    buf_free(&out);
    return tidy;
}

struct mail_words mail_templates_render(const struct mail_templates *templates, enum topic topic,
                                        const struct mail_values *values, struct arena *arena)
{
    assert(mail_topic_has_template(topic));
    const struct template *template = &templates->files[topic];
    struct mail_values around = *values;
    struct mail_words words;
    words.subject = render(&template->subject, values, AS_TEXT, arena);
    around.items[MAIL_SUBJECT] = words.subject;
    around.items[MAIL_CONTENT] = str_trim(render(&template->body, values, AS_TEXT, arena));
    words.text =
        tidy_lines(render(&templates->files[LAYOUT_TEXT].body, &around, AS_TEXT, arena), arena);
    around.items[MAIL_CONTENT] = paragraphs(render(&template->body, values, AS_HTML, arena), arena);
    words.html =
        tidy_lines(render(&templates->files[LAYOUT_HTML].body, &around, AS_LAYOUT, arena), arena);
    return words;
}
