/** Answers of a match. `drop`: the match itself drops the packet, whatever the rule's target. Ref: x_tables.h: hotdrop. */
export const Answer = { no: 0, yes: 1, unknown: 2, drop: 3 } as const;
