/* SPDX-License-Identifier: Apache-2.0 */
/* world.h -- some admit processes on one store, their clients, and time, all in one thread.
 *
 * A process is what engine_start() would make of it: a store opened for writing, a directory,
 * snapshots, a queue, a batcher; world_turn() is one turn of its lane. All that comes from outside
 * (clock, faults, death, the turn of another process in the middle of this one's) is drawn from
 * the random numbers of the step that is being done.
 *
 * The model is told of each batch at the moment when it is committed, and the store is compared
 * with it at once, before any answer has left. */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include <setjmp.h>

#include "engine/lane.h"
#include "model.h"
#include "random.h"
#include "store/faulty.h"

#define DAY_MS         (INT64_C(24) * 60 * 60 * 1000)
#define TOKEN_LASTS_MS (366 * DAY_MS)

enum {
    PROCESSES_MAX = 3,
    CROWD = 64, /* tasks that one batch of the simulation may have */
    TOKENS = 2, /* of each user: the one in use and the one before */
};

/* What the office is like, drawn from the seed. */
struct setting {
    unsigned processes;
    bool open_organizing;
    int64_t keep_cancelled_ms;
    unsigned fault_percent; /* of all turns */
    unsigned tight;         /* capacities are up to this */
    size_t snapshots;       /* kept in memory by each process */
};

enum request_state { REQUEST_QUEUED, REQUEST_ANSWERED, REQUEST_FAILED, REQUEST_LOST };

struct request {
    struct task task;
    unsigned number;
    uint32_t key, request; /* as short numbers; key 0: none */
    struct process *process;
    enum request_state state;
    bool has_answer;
    struct answer answer; /* composed last, or replayed */
};

/* What a process can know of users: what it read when it started or looked again, and what it has
 * committed itself. By index of the model's users. */
struct view {
    size_t users;
    enum role roles[MODEL_USERS];
    int64_t not_before[MODEL_USERS];
};

struct process {
    struct world *world;
    unsigned number;
    bool up;
    int64_t skew_ms, last_now;

    struct fault_plan plan;
    struct lane *lane;
    struct directory *directory;
    struct snapshots *snapshots;
    struct batch_counts counts;

    struct view view;
    int64_t looked_at;               /* when the directory was read last */
    uint64_t own_face[MODEL_EVENTS]; /* how an event looked after this one's last change of it */

    /* The turn under way. */
    bool in_turn, disturbed, refused, faulty, deadly;
    bool silent; /* it never says how a COMMIT ended */
    int64_t now;
    enum fault commit_fault; /* what was asked for the last commit */
    struct request *proposal[CROWD];
    size_t proposed;
    bool applied;
    size_t keys_then; /* how many answers to keys there were after that */
    /* What it is going to publish of that. */
    struct publication {
        struct m_touched touched[CROWD];
        size_t touched_count;
        uint64_t faces[MODEL_EVENTS]; /* 0: nothing */
        bool is_due;
    } publication;
    jmp_buf death;
};

/* A reader of an event's page, between its two looks. */
struct reading {
    bool is_open;
    struct process *process;
    uint64_t event_id, face;
    struct mark mark;
    struct event *event;
};

struct world {
    struct setting setting;
    uint64_t random; /* of the step that is being done */
    int64_t now;
    struct process processes[PROCESSES_MAX];
    struct store *observer; /* keeps the database alive, and looks */
    struct arena arena;     /* as long as the world */
    struct arena scratch;   /* a look */
    struct arena reading_arena;
    struct model model;
    struct reading reading;

    struct request **requests;
    size_t request_count, request_size;
    int64_t tokens[MODEL_USERS][TOKENS];
    uint32_t last_key, last_request;
    unsigned creations, registrations, additions[MODEL_EVENTS]; /* asked for: they have bounds */

    /* How each event looked after each of its changes, as a hash. Faces count from 1. */
    struct face {
        uint64_t hash, previous; /* previous: of the same event, 0: none */
    } * faces;
    size_t face_count, face_size;
    uint64_t last_face[MODEL_EVENTS];

    unsigned depth; /* of turns within turns */
    bool verbose, deep;
    uint64_t answered, batches, faults, deaths;
    char failure[640]; /* empty: none */
    jmp_buf end;
};

void world_open(struct world *world, const struct setting *setting, uint64_t seed);
void world_close(struct world *world);

/* Ends the run with a failure; a turn under way is left where it is. */
_Noreturn void world_fail(struct world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void world_say(const struct world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* process.c */
void process_start(struct world *world, struct process *process);
void process_die(struct process *process);
void process_free(struct process *process); /* what is left at the end */
int64_t process_clock(const struct process *process);
void process_look_again(struct process *process); /* what others did to users */
void process_read_begin(struct process *process, uint64_t event_id);
void process_read_end(struct world *world, bool in_vain);
void process_check_snapshots(struct process *process);

/* turn.c: one turn of the lane, with whatever goes wrong in it. */
void world_turn(struct process *process, bool calm);
bool world_has_work(const struct process *process);

/* client.c */
struct request *request_new(struct world *world, struct process *process, enum command_kind kind);
bool request_send(struct request *request); /* false: 503, or 401 */
void client_ask(struct world *world, struct process *process);
void client_ask_again(struct world *world, struct process *process);
void client_sign_in(struct world *world, struct process *process, size_t user);
void request_text(const struct request *request, char *text, size_t size);
void answer_text(const struct answer *answer, char *text, size_t size);

/* check.c: the store, as a reader sees it, against the model. */
void check_touched(struct world *world);
void check_all(struct world *world);
uint64_t event_face(const struct event *event);
void note_faces(struct world *world);
bool face_is_known(const struct world *world, size_t event, uint64_t face, uint64_t since);

#endif
