import htm from 'htm';
import { type ComponentChildren, h } from 'preact';

/** Markup for plain elements. Components go in as `h(Component, props)`, because only that checks their properties. */
export const html: (strings: TemplateStringsArray, ...values: unknown[]) => ComponentChildren = htm.bind(h);

export type View = ComponentChildren;
