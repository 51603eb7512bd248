// Where a page cannot be drawn, that page alone is missing: the frame stays, and HALT in it.

import { Component, type ReactNode } from "react";

interface Props {
  children: ReactNode;
}

/** Give it the page's address as `key`: another page begins anew. */
export class Boundary extends Component<Props, { error: unknown }> {
  override state: { error: unknown } = { error: null };

  static getDerivedStateFromError(error: unknown): { error: unknown } {
    return { error };
  }

  override render(): ReactNode {
    if (this.state.error === null) return this.props.children;
    return (
      <div className="problem" role="alert">
        <p className="strong">This page cannot be shown.</p>
        <p>Seen: {String(this.state.error)}</p>
        <p>
          Trading goes on without it. Perhaps Holdfast was updated while the page was open: load it
          anew.
        </p>
        <div className="row">
          <button type="button" onClick={() => location.reload()}>
            Load it anew
          </button>
        </div>
      </div>
    );
  }
}
