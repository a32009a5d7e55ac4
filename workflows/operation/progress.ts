import type {
  Decision,
  EndState,
  Hold,
  Leftover,
  OperationView,
  StepError,
  StepState,
  StepView,
  Warning,
} from '../contract/operation/operation.js';

export type ProgressEvent =
  | { type: 'step_started'; key: string; title: string; attempt: number; time: string }
  | { type: 'step_ended'; key: string; state: StepState; time: string; error?: StepError; summary?: string }
  /** a step that goes on while its line changes */
  | { type: 'step_summed'; key: string; state: 'running' | 'done' | 'failed'; summary: string }
  | { type: 'held'; hold: Hold }
  | { type: 'resumed' }
  | { type: 'rolling_back' }
  | { type: 'warned'; warning: Warning }
  | { type: 'decided'; decision: Decision }
  | { type: 'left_over'; leftover: Leftover; first?: boolean }
  /** a state that could not be left at first has been left after all */
  | { type: 'healed'; step: string }
  /** what it waits for before it goes on; null: for nothing any more */
  | { type: 'waiting'; for: string | null }
  | { type: 'ended'; state: EndState; time: string; result: unknown };

/** The view after an event. Pure. */
export function advance(view: OperationView, event: ProgressEvent): OperationView {
  switch (event.type) {
    case 'step_started':
      return withStep(view, {
        key: event.key,
        title: event.title,
        state: 'running',
        attempt: event.attempt,
        startedAt: event.time,
        endedAt: null,
      });
    case 'step_ended': {
      const step = view.steps.find((candidate) => candidate.key === event.key);
      if (step === undefined) return view;
      const { error: _former, ...rest } = step;
      return withStep(view, {
        ...rest,
        state: event.state,
        endedAt: event.time,
        ...(event.error === undefined ? {} : { error: event.error }),
        ...(event.summary === undefined ? {} : { summary: event.summary }),
      });
    }
    case 'step_summed': {
      const step = view.steps.find(({ key }) => key === event.key);
      return step === undefined
        ? view
        : withStep(view, { ...step, state: event.state, summary: event.summary });
    }
    case 'held':
      return setState(withStepState(view, event.hold.step, 'holding'), 'holding', event.hold);
    case 'resumed':
      return setState(view, 'running', null);
    case 'rolling_back':
      return setState(view, 'rolling_back', null);
    case 'warned':
      return { ...view, warnings: [...view.warnings, event.warning] };
    case 'decided':
      return { ...view, decisions: [...view.decisions, event.decision] };
    case 'left_over':
      return {
        ...view,
        leftovers: event.first ? [event.leftover, ...view.leftovers] : [...view.leftovers, event.leftover],
      };
    case 'healed':
      return { ...view, leftovers: view.leftovers.filter(({ step }) => step !== event.step) };
    case 'waiting': {
      const { waitingFor: _former, ...rest } = view;
      return event.for === null ? rest : { ...rest, waitingFor: event.for };
    }
    case 'ended':
      return { ...setState(view, event.state, null), endedAt: event.time, result: event.result };
    default:
      return event satisfies never;
  }
}

function setState(view: OperationView, state: OperationView['state'], hold: Hold | null): OperationView {
  return { ...view, state, hold };
}

function withStepState(view: OperationView, key: string, state: StepState): OperationView {
  return { ...view, steps: view.steps.map((step) => (step.key === key ? { ...step, state } : step)) };
}

function withStep(view: OperationView, step: StepView): OperationView {
  const known = view.steps.some((candidate) => candidate.key === step.key);
  const steps = known
    ? view.steps.map((candidate) => (candidate.key === step.key ? step : candidate))
    : [...view.steps, step];
  return { ...view, steps };
}

const SIGNS: Record<StepState, string> = {
  pending: '·',
  running: '▶',
  retrying: '↻',
  holding: '⏸',
  done: '✓',
  skipped: '⤼',
  failed: '✗',
  undone: '↶',
  undo_failed: '‼',
};

/** Markdown for the Web UI's current details: one line of state, then the table of steps. */
export function toMarkdown(view: OperationView): string {
  const lines = [`**${view.title}**: ${view.state.replaceAll('_', ' ')}`, ''];
  if (view.waitingFor !== undefined) lines.push(`Waiting for ${cell(view.waitingFor)}`, '');
  if (view.hold !== null) {
    const until = view.hold.until === null ? 'without a limit' : `until ${view.hold.until}`;
    lines.push(
      `Waiting for a person ${until}. Step \`${view.hold.step}\` failed: ${cell(view.hold.error.message)}`,
      ...(view.hold.error.hint === undefined ? [] : [cell(view.hold.error.hint)]),
      `Send one of the signals: ${view.hold.actions.map((action) => `\`${action}\``).join(', ')}`,
      '',
    );
  }
  lines.push('| | step | state | try |', '| --- | --- | --- | --- |');
  for (const step of view.steps) {
    lines.push(`| ${SIGNS[step.state]} | ${cell(step.title)} | ${step.state} | ${step.attempt} |`);
  }
  for (const warning of view.warnings)
    lines.push('', `Warning in \`${warning.step}\`: ${cell(warning.message)}`);
  for (const leftover of view.leftovers) {
    lines.push('', `Left over: ${cell(leftover.what)} (${cell(leftover.error)}). ${cell(leftover.remedy)}`);
  }
  return lines.join('\n');
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}
